import Concurrency
import Files
import Glibc
import HTTPTransport
import JSON
import KubernetesClient
import KubernetesModel
import Logging
import Testing

@testable import LocalCluster

/// A directory that is removed with its owner.
final class TemporaryDirectory: Sendable {
    let path: String

    init() throws {
        var template = Array("/tmp/assay-test-\(String(repeating: "X", count: 6))".utf8CString)
        guard mkdtemp(&template) != nil else { throw FileError("make", "a temporary directory") }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        chmod(path, 0o755)
    }

    deinit {
        do { try FileSystem.remove(path) } catch { print("left behind: \(error)") }
    }

    /// Writes files, by their relative paths, and returns the path.
    @discardableResult
    func fill(_ files: [String: String], executable: Set<String> = []) throws -> String {
        for (name, text) in files {
            let file = "\(path)/\(name)"
            if let slash = file.lastIndex(of: "/") { try FileSystem.makeDirectories(String(file[..<slash])) }
            try FileSystem.write(text, to: file, mode: executable.contains(name) ? 0o755 : 0o644)
        }
        return path
    }
}

enum Pods {
    static func json(_ spec: JSONValue, name: String = "p", uid: String = "uid-1", metadata: JSONValue = [:])
        -> JSONValue
    {
        var meta = metadata
        meta["name"] = .string(name)
        meta["namespace"] = "ml"
        meta["uid"] = .string(uid)
        return ["apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec]
    }

    static func pod(_ spec: JSONValue, name: String = "p", uid: String = "uid-1", metadata: JSONValue = [:]) throws
        -> NodePod
    {
        try NodePod(json: json(spec, name: name, uid: uid, metadata: metadata))
    }

    static func container(_ name: String = "main", _ more: JSONValue = [:]) -> JSONValue {
        var container = more
        container["name"] = .string(name)
        container["image"] = "app:1"
        return container
    }
}

/// An API server that knows a few objects and notes the status of pods.
final class RecordingAPI: HTTPTransport {
    let objects: [String: JSONValue]
    private let state = Locked<(statuses: [JSONValue], requests: [String])>(([], []))

    /// - Parameter objects: by path.
    init(_ objects: [String: JSONValue] = [:]) { self.objects = objects }

    var statuses: [JSONValue] { state.withLock { $0.statuses } }
    var requests: [String] { state.withLock { $0.requests } }

    func send(_ request: HTTPRequest) async throws(HTTPTransportError) -> HTTPResponse {
        let path = String(request.target.prefix { $0 != "?" })
        var (code, answer): (Int, JSONValue) = (200, [:])
        var body: JSONValue = [:]
        do { body = try JSONValue(parsing: request.body ?? []) } catch { body = [:] }
        state.withLock { $0.requests.append("\(request.method.rawValue) \(path)") }
        switch request.method {
        case .get:
            if let object = objects[path] { answer = object } else { (code, answer) = Self.notFound }
        case .patch where path.hasSuffix("/status"):
            state.withLock { $0.statuses.append(body["status"] ?? [:]) }
        default: break
        }
        let bytes = Locked<[UInt8]?>(answer.serializedBytes())
        return HTTPResponse(
            status: code,
            body: HTTPBody { () async throws(HTTPTransportError) in
                bytes.withLock { bytes in
                    defer { bytes = nil }
                    return bytes
                }
            })
    }

    private static let notFound: (Int, JSONValue) = (
        404, KubernetesStatus(code: 404, reason: "NotFound", message: "not found").json
    )
}
