import CEdgePtf
import Foundation

/// Why a call failed. `status` is one of the `EDGE_PTF_…` constants.
public struct Failure: LocalizedError {
    public let status: edge_ptf_status
    public let message: String
    public var errorDescription: String? { message }
}

/// Call it directly after the failed call, on the same thread, which stores the reason.
private func check(_ status: edge_ptf_status) throws {
    if status != EDGE_PTF_OK {
        throw Failure(status: status, message: String(cString: edge_ptf_last_error()))
    }
}

/// An open package. Threads may share it. It closes with its last reference.
public final class Runner: @unchecked Sendable {
    fileprivate let handle: OpaquePointer

    /// - Parameters:
    ///   - path: a package file or its directory, such as `Bundle.main.path(forResource: "intents", ofType: "eptf")!`.
    ///   - threads: threads of one answer; 0: the setting of the package.
    public init(path: String, threads: Int32 = 0) throws {
        var options = edge_ptf_options()
        options.struct_size = MemoryLayout<edge_ptf_options>.stride
        options.threads = threads
        var made: OpaquePointer?
        try check(edge_ptf_open(path, &options, &made))
        handle = made!
    }

    deinit {
        edge_ptf_close(handle)
    }
}

/// A label, and the part of the text that it is about; `text` is nil if it is about the whole text.
public struct Item: Equatable {
    public let label: String
    public let text: String?
    public let score: Double
}

/// The answer of a package to a text. `items` is the class of the text, or the entities in it.
public struct Answer: Equatable {
    public let items: [Item]
    public let score: Double
    public let isOutOfScope: Bool
}

/// Answers texts with a runner and reuses its memory. Only one thread (or actor) at a time may use it; several may share a runner.
public final class Session {
    private let result: OpaquePointer  // keeps the runner open

    public init(_ runner: Runner) throws {
        var made: OpaquePointer?
        try check(edge_ptf_result_create(runner.handle, &made))
        result = made!
    }

    deinit {
        edge_ptf_result_destroy(result)
    }

    /// The answer of the first head, copied.
    public func answer(_ text: String) throws -> Answer {
        let bytes = Array(text.utf8)
        try text.withCString { try check(edge_ptf_predict(result, $0, bytes.count, nil, 0)) }
        var isOutOfScope = false
        let answers = Int32(EDGE_PTF_ANSWERS.rawValue)
        let items = try (0..<edge_ptf_result_count(result, 0, answers)).map { index in
            var found = edge_ptf_item()
            found.struct_size = MemoryLayout<edge_ptf_item>.stride
            try check(edge_ptf_result_item(result, 0, answers, index, &found))
            isOutOfScope = isOutOfScope || found.flags & EDGE_PTF_OUT_OF_SCOPE.rawValue != 0
            let hasPlace = found.flags & EDGE_PTF_HAS_PLACE.rawValue != 0
            let words = hasPlace ? String(decoding: bytes[found.begin_byte..<found.end_byte], as: UTF8.self) : nil
            return Item(label: String(cString: found.label), text: words, score: found.score)
        }
        return Answer(items: items, score: edge_ptf_result_score(result, 0), isOutOfScope: isOutOfScope)
    }
}
