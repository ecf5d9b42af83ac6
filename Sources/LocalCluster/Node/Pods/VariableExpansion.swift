/// `$(NAME)` in commands, arguments and environment values, by Kubernetes' rules (pkg `expansion` of its API
/// machinery): `$(NAME)` becomes the value where NAME is known and stays as written where it is not; `$$` becomes `$`,
/// so that `$$(NAME)` stands for a literal `$(NAME)`; any other `$` is itself.
func expandVariables(_ text: String, _ value: (String) -> String?) -> String {
    guard text.utf8.contains(UInt8(ascii: "$")) else { return text }
    var result = ""
    var rest = Substring(text)
    while let dollar = rest.firstIndex(of: "$") {
        result += rest[..<dollar]
        rest = rest[rest.index(after: dollar)...]
        switch rest.first {
        case "$":
            result += "$"
            rest = rest.dropFirst()
        case "(":
            guard let close = rest.firstIndex(of: ")") else {
                result += "$"
                continue
            }
            let name = String(rest[rest.index(after: rest.startIndex)..<close])
            rest = rest[rest.index(after: close)...]
            result += value(name) ?? "$(\(name))"
        default:
            result += "$"
        }
    }
    return result + rest
}
