internal import JSON

extension YAMLScalar {
    private static let prefix = "tag:yaml.org,2002:"

    /// True for a plain `<<`, which as a key merges other mappings into its own.
    var isMergeKey: Bool {
        text == "<<" && ((tag == nil && isPlain) || tag == Self.prefix + "merge")
    }

    /// The value of the scalar by the rules of go-yaml v2, which Kubernetes reads with.
    ///
    /// Kubernetes passes the result through JSON, where a number without a fraction is an integer however it was
    /// written: so `1.0` and `08` are integers here as well.
    func resolved(at position: YAMLPosition) throws(YAMLError) -> JSONValue {
        guard let tag else { return isPlain ? try plain(at: position) : .string(text) }
        guard tag.hasPrefix(Self.prefix) else { return .string(text) }
        let name = String(tag.dropFirst(Self.prefix.count))
        switch name {
        case "bool", "int", "float", "null":
            let value = try plain(at: position)
            let fits =
                switch (name, value) {
                case ("bool", .bool), ("int", .integer), ("float", .integer), ("float", .number), ("null", .null): true
                default: false
                }
            if !fits { throw position.error("`\(text)` is not a !!\(name)") }
            return value
        case "binary":
            throw position.error("!!binary has no counterpart in JSON; write the base64 text as a string")
        default:
            return .string(text)
        }
    }

    private func plain(at position: YAMLPosition) throws(YAMLError) -> JSONValue {
        switch text {
        case "", "~", "null", "Null", "NULL": return .null
        case "y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON": return .bool(true)
        case "n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF": return .bool(false)
        case ".nan", ".NaN", ".NAN", ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF", "-.inf", "-.Inf", "-.INF":
            throw position.error("`\(text)` is a number that JSON does not have")
        default: break
        }
        guard let first = text.utf8.first else { return .null }
        switch first {
        case UInt8(ascii: "."):
            return Self.decimal(text) ?? .string(text)
        case UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            let digits = text.filter { $0 != "_" }
            return Self.integer(digits) ?? Self.decimal(digits) ?? .string(text)
        default:
            return .string(text)
        }
    }

    /// As Go's `strconv.ParseInt(text, 0, 64)`: a sign, then `0x`, `0o`, `0b` or a leading 0 for octal.
    private static func integer(_ text: String) -> JSONValue? {
        var digits = Substring(text)
        var sign = ""
        if let first = digits.first, first == "+" || first == "-" {
            if first == "-" { sign = "-" }
            digits = digits.dropFirst()
        }
        var radix = 10
        if digits.first == "0", digits.count > 1 {
            let prefix: Int
            switch digits.dropFirst().first {
            case "x", "X": (radix, prefix) = (16, 2)
            case "o", "O": (radix, prefix) = (8, 2)
            case "b", "B": (radix, prefix) = (2, 2)
            default: (radix, prefix) = (8, 1)
            }
            digits = digits.dropFirst(prefix)
        }
        // Swift's initializers take a sign of their own, and there must not be a second one.
        guard let first = digits.first, first != "+", first != "-" else { return nil }
        if let value = Int64(sign + digits, radix: radix) { return .integer(value) }
        if let value = UInt64(sign + digits, radix: radix) { return .number(Double(value)) }
        return nil
    }

    /// A number with a fraction or an exponent: `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`.
    private static func decimal(_ text: String) -> JSONValue? {
        var rest = text.utf8[...]
        func digits() -> Int {
            let count = rest.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }.count
            rest = rest.dropFirst(count)
            return count
        }
        func sign() {
            if rest.first == UInt8(ascii: "+") || rest.first == UInt8(ascii: "-") { rest = rest.dropFirst() }
        }
        sign()
        let whole = digits()
        var fraction = 0
        if rest.first == UInt8(ascii: ".") {
            rest = rest.dropFirst()
            fraction = digits()
        }
        guard whole + fraction > 0 else { return nil }
        if rest.first == UInt8(ascii: "e") || rest.first == UInt8(ascii: "E") {
            rest = rest.dropFirst()
            sign()
            guard digits() > 0 else { return nil }
        }
        guard rest.isEmpty, let value = Double(text), value.isFinite else { return nil }
        return Int64(exactly: value).map(JSONValue.integer) ?? .number(value)
    }
}
