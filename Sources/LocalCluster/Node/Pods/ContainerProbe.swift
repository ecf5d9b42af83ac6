import JSON

/// A probe of a container: what to try, how often, and how many results count.
struct ContainerProbe: Sendable, Hashable {
    enum Kind: String, Sendable, Hashable, CaseIterable {
        case startup = "Startup"
        case readiness = "Readiness"
        case liveness = "Liveness"

        var field: String {
            switch self {
            case .startup: "startupProbe"
            case .readiness: "readinessProbe"
            case .liveness: "livenessProbe"
            }
        }
    }

    enum Check: Sendable, Hashable {
        /// - Parameter host: nil for the pod's address.
        case httpGet(host: String?, port: Int, path: String, headers: [String: String])
        case tcpSocket(host: String?, port: Int)
        case exec([String])
        /// One that this node cannot make; it fails with these words.
        case unsupported(String)
    }

    var check: Check
    var initialDelay: Duration
    var period: Duration
    var timeout: Duration
    var successThreshold: Int
    var failureThreshold: Int

    init(json cursor: JSONCursor, ports: [(name: String?, port: Int)]) throws(JSONShapeError) {
        func port(_ cursor: JSONCursor) throws(JSONShapeError) -> Int {
            if let name = cursor.value?.string {
                guard let port = ports.first(where: { $0.name == name })?.port ?? Int(name) else {
                    throw cursor.failure("names the port \"\(name)\", which the container does not have")
                }
                return port
            }
            return try cursor.int()
        }
        let http = cursor["httpGet"]
        let tcp = cursor["tcpSocket"]
        if http.exists {
            var headers: [String: String] = [:]
            for header in try http["httpHeaders"].elements() {
                headers[try header["name"].string()] = try header["value"].optionalString() ?? ""
            }
            if try http["scheme"].optionalString() == "HTTPS" {
                check = .unsupported("probes over HTTPS are not supported by this node")
            } else {
                check = .httpGet(
                    host: try http["host"].optionalString(), port: try port(http["port"]),
                    path: try http["path"].optionalString() ?? "/", headers: headers)
            }
        } else if tcp.exists {
            check = .tcpSocket(host: try tcp["host"].optionalString(), port: try port(tcp["port"]))
        } else if cursor["exec"].exists {
            check = .exec(try cursor["exec"]["command"].strings())
        } else {
            check = .unsupported("probes over gRPC are not supported by this node")
        }
        initialDelay = .seconds(try cursor["initialDelaySeconds"].optionalInteger() ?? 0)
        period = .seconds(max(1, try cursor["periodSeconds"].optionalInteger() ?? 10))
        timeout = .seconds(max(1, try cursor["timeoutSeconds"].optionalInteger() ?? 1))
        successThreshold = max(1, try cursor["successThreshold"].optionalInt() ?? 1)
        failureThreshold = max(1, try cursor["failureThreshold"].optionalInt() ?? 3)
    }
}

/// What a probe found.
enum ProbeResult: Sendable, Hashable {
    case success
    case failure(String)
}

/// The results of one probe so far, since the container started.
struct ProbeHistory: Sendable, Hashable {
    /// Whether the threshold of one kind was reached, and which kind; nil before either was.
    private(set) var isPassing: Bool?
    private var run = 0
    private var lastSucceeded = false
    /// When to try next; nil while one runs.
    var nextAt: Duration?

    init(firstAt: Duration) { nextAt = firstAt }

    /// Notes a result; returns whether the probe's state has changed or been confirmed by reaching a threshold.
    mutating func note(_ result: ProbeResult, of probe: ContainerProbe) {
        let succeeded = result == .success
        run = succeeded == lastSucceeded ? run + 1 : 1
        lastSucceeded = succeeded
        if run >= (succeeded ? probe.successThreshold : probe.failureThreshold) { isPassing = succeeded }
    }
}
