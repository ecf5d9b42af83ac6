import APIServerModel
import HTTPTransport
import KubernetesModel

/// A request, as faults and checks look at it.
struct APICall: Sendable {
    var method: String
    /// `jobs`, `mlmodels`
    var plural: String
    var namespace: String?
    var name: String?
    var subresource: String?
    var isWatch: Bool
    /// A list's second page, or one after it.
    var isContinuation: Bool

    var isWrite: Bool { method != "GET" }
    /// Events are a courtesy: their number varies.
    var isEvent: Bool { plural == "events" }
    /// The replicas' own affair: it goes on as long as one of them leads.
    var isLease: Bool { plural == "leases" }
    /// A reflector's list; those of a reconcile are of one namespace, which is not that of the gateway's pods.
    var isCacheList: Bool {
        method == "GET" && !isWatch && name == nil && (namespace == nil || namespace == GatewayFleet.namespace)
            && plural != "namespaces"
    }

    init(method: String, target: String) {
        self.method = method
        // By bytes: characters cost more than all the rest of a request.
        let bytes = target.utf8
        let path = bytes.prefix { $0 != UInt8(ascii: "?") }
        var parts = path.split(separator: UInt8(ascii: "/")).map { String(Substring($0)) }
        // api/v1, or apis/GROUP/VERSION
        parts.removeFirst(min(parts.count, parts.first == "api" ? 2 : 3))
        if parts.first == "namespaces", parts.count > 2 {
            namespace = parts[1]
            parts.removeFirst(2)
        }
        plural = parts.first ?? ""
        name = parts.count > 1 ? parts[1] : nil
        subresource = parts.count > 2 ? parts[2] : nil
        let query = bytes[path.endIndex...].split { $0 == UInt8(ascii: "?") || $0 == UInt8(ascii: "&") }
        isWatch = query.contains { $0.elementsEqual("watch=true".utf8) }
        isContinuation = query.contains { $0.starts(with: "continue=".utf8) }
    }

    /// `PATCH mlmodels/wine/status`
    var description: String {
        let verb = isWatch ? "WATCH" : isContinuation ? "CONTINUE" : method == "GET" && name == nil ? "LIST" : method
        return ([verb + " " + plural] + [name, subresource].compactMap(\.self)).joined(separator: "/")
    }
}

extension APIRequest {
    /// A request of the operator's, with a JSON body or none.
    init(_ request: HTTPRequest, user: UserInfo) {
        var headers: [String: String] = [:]
        for field in request.headers.fields { headers[field.name.lowercased()] = field.value }
        self.init(
            method: request.method.rawValue, target: request.target, headers: headers, body: request.body ?? [],
            user: user)
    }
}
