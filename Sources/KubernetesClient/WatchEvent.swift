import JSON

/// One line of a watch.
public enum WatchEvent: Sendable, Hashable {
    case added(JSONValue)
    case modified(JSONValue)
    case deleted(JSONValue)
    /// Everything up to this version was sent. `initialEventsEnd` ends the initial state of a watch that asked for it.
    case bookmark(resourceVersion: String, initialEventsEnd: Bool)
}

extension WatchEvent {
    /// Why a line is no event.
    enum LineError: Error {
        /// An ERROR event; `Status` most of the time.
        case server(JSONValue)
        case malformed(String)
    }

    init(line: ArraySlice<UInt8>) throws(LineError) {
        let json: JSONValue
        do throws(JSONError) {
            json = try JSONValue(parsing: line)
        } catch {
            throw .malformed("\(error)")
        }
        guard let type = json["type"]?.string else { throw .malformed("an event without a type") }
        guard let object = json["object"], object.object != nil else {
            throw .malformed("an event of type \(type.prefix(40)) without an object")
        }
        switch type {
        case "ADDED": self = .added(object)
        case "MODIFIED": self = .modified(object)
        case "DELETED": self = .deleted(object)
        case "BOOKMARK":
            guard let version = object["metadata", "resourceVersion"]?.string, !version.isEmpty else {
                throw .malformed("a bookmark without a resourceVersion")
            }
            let end = object["metadata", "annotations", "k8s.io/initial-events-end"]?.string
            self = .bookmark(resourceVersion: version, initialEventsEnd: end == "true")
        case "ERROR": throw .server(object)
        default: throw .malformed("an event of unknown type \(type.prefix(40))")
        }
    }
}
