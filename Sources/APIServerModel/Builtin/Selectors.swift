import JSON

/// `LabelSelector` documents, matched as the server matches them to a template's labels.
enum Selectors {
    static func matches(_ selector: JSONValue, labels: JSONValue?) -> Bool {
        for (key, value) in selector["matchLabels"]?.object ?? [:] where labels?[key] != value { return false }
        for term in selector["matchExpressions"]?.array ?? [] {
            let label = term["key"]?.string.flatMap { labels?[$0] }
            let values = term["values"]?.array ?? []
            let fits =
                switch term["operator"]?.string {
                case "In": label.map(values.contains) ?? false
                case "NotIn": label.map { !values.contains($0) } ?? true
                case "Exists": label != nil
                case "DoesNotExist": label == nil
                default: false
                }
            if !fits { return false }
        }
        return true
    }

    /// The string form, as `kubectl get -o wide` shows it: `a=b,c in (d,e)`.
    static func text(_ selector: JSONValue?) -> String {
        var terms = (selector?["matchLabels"]?.object ?? [:]).map { "\($0)=\($1.string ?? "")" }
        for term in selector?["matchExpressions"]?.array ?? [] {
            let key = term["key"]?.string ?? ""
            let values = (term["values"]?.array ?? []).compactMap(\.string).sorted().joined(separator: ",")
            switch term["operator"]?.string {
            case "In": terms.append("\(key) in (\(values))")
            case "NotIn": terms.append("\(key) notin (\(values))")
            case "Exists": terms.append(key)
            case "DoesNotExist": terms.append("!\(key)")
            default: break
            }
        }
        return terms.isEmpty ? "<none>" : terms.joined(separator: ",")
    }
}
