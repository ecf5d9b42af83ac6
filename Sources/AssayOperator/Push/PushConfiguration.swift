import AssayCore
import KubernetesModel

extension OperatorConfiguration {
    /// Where trainings push to.
    public struct Push: Sendable, Hashable {
        /// Where it is listened.
        public var address: Address
        /// The Service without selector that leads to whoever leads. What serves TLS is kept in a Secret beside it.
        public var service: ObjectKey
        /// The address of this replica that the Service is to lead to; nil where somebody else sees to that.
        public var endpoint: String?
        /// What pods are told instead of the Service's name: `https://10.0.0.1:8443`.
        public var url: String?

        public init(address: Address, service: ObjectKey, endpoint: String? = nil, url: String? = nil) {
            self.address = address
            self.service = service
            self.endpoint = endpoint
            self.url = url
        }

        /// Whether a text is a URL as pods can be told: `https://host` or `https://host:port`.
        public static func isURL(_ text: String) -> Bool {
            guard text.hasPrefix("https://") else { return false }
            let authority = text.dropFirst("https://".count)
            return !authority.isEmpty
                && authority.utf8.allSatisfy { byte in
                    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
                        || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || ".-:[]".utf8.contains(byte)
                }
        }

        private var serviceName: String { "\(service.name).\(service.namespace ?? "default").svc" }

        var channel: PushChannel { PushChannel(base: url ?? "https://\(serviceName)") }

        /// What the certificate is to be for: names, and an address where pods are told one.
        var names: [String] {
            var result = [serviceName, "\(serviceName).cluster.local"]
            if let host { result.append(host) }
            return result
        }

        /// Of the URL that pods are told.
        private var host: String? {
            guard let url else { return nil }
            let authority = url.dropFirst("https://".count)
            if authority.hasPrefix("[") { return String(authority.dropFirst().prefix { $0 != "]" }) }
            return String(authority.prefix { $0 != ":" })
        }

        /// The Secret's name.
        var secret: ObjectKey { ObjectKey(namespace: service.namespace, name: "\(service.name)-tls") }
    }
}
