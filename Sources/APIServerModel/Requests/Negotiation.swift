/// In which form a client wants the objects of an answer.
enum Representation: Sendable, Hashable {
    case object
    case table(version: String)
    /// `isList` where the client asked for the list's form.
    case partialMetadata(isList: Bool)
}

/// What the headers of a request say about media types. JSON is all that is spoken.
enum Negotiation {
    /// - Throws: 406 when no alternative of the `Accept` header can be served.
    static func representation(accept: String?, isStream: Bool = false) throws(APIFailure) -> Representation {
        guard let accept, !accept.isEmpty else { return .object }
        for clause in accept.split(separator: ",") {
            let parts = clause.split(separator: ";").map { trimmed($0) }
            guard let media = parts.first, ["application/json", "*/*", "application/*"].contains(media) else {
                continue
            }
            var parameters: [String: String] = [:]
            for part in parts.dropFirst() {
                let sides = part.split(separator: "=", maxSplits: 1)
                if sides.count == 2 { parameters[String(sides[0])] = String(sides[1]) }
            }
            guard let kind = parameters["as"] else { return .object }
            guard parameters["g"] == "meta.k8s.io", let version = parameters["v"] else { continue }
            switch (kind, version) {
            case ("Table", "v1"), ("Table", "v1beta1"): return .table(version: version)
            case ("PartialObjectMetadata", "v1"): return .partialMetadata(isList: false)
            case ("PartialObjectMetadataList", "v1"): return .partialMetadata(isList: true)
            default: continue
            }
        }
        throw APIFailure(
            406, "NotAcceptable", "only the following media types are accepted: application/json")
    }

    /// The version of aggregated discovery that a client would rather have than anything after it; nil for none.
    static func aggregatedDiscovery(_ accept: String?) -> String? {
        for clause in (accept ?? "").split(separator: ",") {
            let parts = Set(clause.split(separator: ";").map { trimmed($0) })
            guard parts.contains("application/json") else { continue }
            guard parts.contains("as=APIGroupDiscoveryList"), parts.contains("g=apidiscovery.k8s.io") else {
                return nil
            }
            for version in ["v2", "v2beta1"] where parts.contains("v=\(version)") { return version }
        }
        return nil
    }

    /// Whether a client accepts a document other than an object, such as OpenAPI, as JSON.
    static func acceptsJSON(_ accept: String?) -> Bool {
        guard let accept, !accept.isEmpty else { return true }
        return accept.split(separator: ",").contains { clause in
            let media = trimmed(clause.split(separator: ";").first ?? "")
            return ["application/json", "*/*", "application/*"].contains(media)
        }
    }

    /// The media type of a body, without its parameters.
    static func mediaType(_ contentType: String?) -> String {
        trimmed((contentType ?? "").split(separator: ";").first ?? "").lowercased()
    }

    private static func trimmed(_ text: Substring) -> String {
        var text = text.drop { $0 == " " }
        while text.last == " " { text.removeLast() }
        return String(text)
    }
}
