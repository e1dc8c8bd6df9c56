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
        let entities = answer.entities.map { "\($0.type)=\($0.text)" }.joined(separator: ", ")
        print(answer.label ?? entities, text, separator: "\t")
    }
} catch {
    FileHandle.standardError.write(Data("ask: \(error.localizedDescription)\n".utf8))
    exit(1)
}
