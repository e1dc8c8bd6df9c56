import CEdgePtf
import Foundation

/// Why a call failed. `status` is one of the `EDGE_PTF_…` constants.
public struct Failure: LocalizedError {
    public let status: edge_ptf_status
    public let message: String
    public var errorDescription: String? { message }
}

/// Right after the call, on the same thread: that is where the reason is kept.
private func check(_ status: edge_ptf_status) throws {
    if status != EDGE_PTF_OK {
        throw Failure(status: status, message: String(cString: edge_ptf_last_error()))
    }
}

/// An open package. Threads may share it; it closes when nothing refers to it any more.
public final class Runner: @unchecked Sendable {
    fileprivate let handle: OpaquePointer

    /// - Parameters:
    ///   - path: a package file or its directory, such as `Bundle.main.path(forResource: "intents", ofType: "eptf")!`.
    ///   - threads: of one answer; 0: as the package says.
    public init(path: String, threads: Int32 = 0) throws {
        var options = edge_ptf_options()
        edge_ptf_options_init(&options)
        options.threads = threads
        var made: OpaquePointer?
        try check(edge_ptf_open(path, &options, &made))
        handle = made!
    }

    deinit {
        edge_ptf_close(handle)
    }
}

/// Some words of a text and what they are.
public struct Entity: Equatable {
    public let type: String
    public let text: String
    public let score: Double
}

/// What a package says about a text. `label` is nil where the package tags words; `entities` is empty where it classifies.
public struct Answer: Equatable {
    public let label: String?
    public let score: Double
    public let isOutOfScope: Bool
    public let entities: [Entity]
}

/// Asks a runner, with memory that is used again each time. For one thread (or one actor) at a time; several may share a runner.
public final class Session {
    // Held so that the runner closes after the result is gone, as the C interface asks.
    private let runner: Runner
    private let result: OpaquePointer

    public init(_ runner: Runner) throws {
        var made: OpaquePointer?
        try check(edge_ptf_result_create(runner.handle, &made))
        self.runner = runner
        result = made!
    }

    deinit {
        edge_ptf_result_destroy(result)
    }

    /// What it returns is copied, and stays as it is.
    public func answer(_ text: String) throws -> Answer {
        let bytes = Array(text.utf8)
        try text.withCString { try check(edge_ptf_predict(runner.handle, $0, bytes.count, nil, 0, result)) }
        let entities = try (0..<edge_ptf_result_entity_count(result)).map { index in
            var found = edge_ptf_entity()
            try check(edge_ptf_result_entity(result, index, &found))
            let words = String(decoding: bytes[found.begin_byte..<found.end_byte], as: UTF8.self)
            return Entity(type: String(cString: found.type), text: words, score: found.score)
        }
        return Answer(
            label: edge_ptf_result_label(result).map { String(cString: $0) },
            score: edge_ptf_result_score(result),
            isOutOfScope: edge_ptf_result_out_of_scope(result) != 0,
            entities: entities
        )
    }
}
