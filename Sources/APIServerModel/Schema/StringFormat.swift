import KubernetesModel

/// The string formats that apiextensions checks; it ignores the ones it does not know.
enum StringFormat {
    static func accepts(_ text: String, as format: String) -> Bool {
        switch format {
        case "date-time", "datetime": Timestamp(text) != nil
        case "date": text.utf8.count == 10 && Timestamp(text + "T00:00:00Z") != nil
        case "duration": isDuration(text)
        case "byte": isBase64(text)
        case "uuid": matches(text, uuid)
        case "ipv4": isIPv4(text)
        case "email": matches(text, email)
        case "hostname": isSubdomain(text)
        case "uri": matches(text, uri)
        default: true
        }
    }

    private static let uuid = pattern(
        "^[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}$")
    private static let email = pattern("^[^@ ]+@[^@ ]+$")
    private static let uri = pattern("^[a-zA-Z][a-zA-Z0-9+.-]*:[^ ]+$")
    private static let duration = pattern("^[+-]?(([0-9]+(\\.[0-9]*)?|\\.[0-9]+)(ns|us|µs|ms|s|m|h|d|w))+$")
    private static let base64 = pattern("^[A-Za-z0-9+/]*={0,2}$")

    /// Nil, which nothing matches, for a mistake in the constants above; a test tries each of them.
    private static func pattern(_ text: String) -> Pattern? {
        do {
            return try Pattern(text)
        } catch {
            return nil
        }
    }

    private static func matches(_ text: String, _ pattern: Pattern?) -> Bool { pattern?.matches(text) ?? false }

    /// Go's `time.ParseDuration`, as `3h4m5.5s`.
    static func isDuration(_ text: String) -> Bool {
        text == "0" || matches(text, duration)
    }

    static func isBase64(_ text: String) -> Bool {
        text.utf8.count % 4 == 0 && matches(text, base64)
    }

    static func isIPv4(_ text: String) -> Bool {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4
            && parts.allSatisfy { part in
                guard let value = UInt8(part) else { return false }
                return String(value) == part
            }
    }

    /// RFC 1123 label: what names of namespaces, containers and services are.
    static func isLabel(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        guard (1...63).contains(bytes.count), bytes.first != UInt8(ascii: "-"), bytes.last != UInt8(ascii: "-") else {
            return false
        }
        return bytes.allSatisfy { isLowerAlphanumeric($0) || $0 == UInt8(ascii: "-") }
    }

    /// RFC 1123 subdomain: what names of most objects are.
    static func isSubdomain(_ text: String) -> Bool {
        guard (1...253).contains(text.utf8.count) else { return false }
        return text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { part in
            guard let first = part.utf8.first, let last = part.utf8.last else { return false }
            return isLowerAlphanumeric(first) && isLowerAlphanumeric(last)
                && part.utf8.allSatisfy { isLowerAlphanumeric($0) || $0 == UInt8(ascii: "-") }
        }
    }

    static func isLowerAlphanumeric(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }
}
