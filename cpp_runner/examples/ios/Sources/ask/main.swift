// ask intents.eptf "turn on the lights"
import EdgePtf
import Foundation

let arguments = CommandLine.arguments
guard arguments.count > 2 else {
    FileHandle.standardError.write(Data("Usage: ask PACKAGE TEXT...\n".utf8))
    exit(2)
}
do {
    let session = try Session(Runner(path: arguments[1]))
    for text in arguments.dropFirst(2) {
        let answer = try session.answer(text)
        let items = answer.items.map { item in item.text.map { "\(item.label)=\($0)" } ?? item.label }
        print(items.joined(separator: ", "), text, separator: "\t")
    }
} catch {
    FileHandle.standardError.write(Data("ask: \(error.localizedDescription)\n".utf8))
    exit(1)
}
