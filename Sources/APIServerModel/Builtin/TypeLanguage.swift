import JSON

/// Reads the short notation in which the built-in types are written here.
///
/// A type is a line at the margin and its fields below it, one a line: `name! type flags -- description`.
/// A `!` marks what is required. Types are `string`, `bytes`, `int`, `long`, `float`, `bool`, `quantity`, `intstr`,
/// `time`, `microtime`, `any`, the name of another type, and `[]T` and `{}T` of these. Flags are
/// `@a,b` and `@set` (server-side apply's list type), `~key`, `~` and `~retain` (strategic merge patch), `atomic`,
/// `=json` (default), `(A|B)` (enum), `1..9` (range), `some` (not empty). `# prefix` names the package of what follows.
struct TypeLanguage {
    private(set) var types: [String: Schema] = [:]
    /// What could not be read; empty, as a test holds.
    private(set) var problems: [String] = []
    private var package = ""
    private var open: Schema.Rules?
    private var openName = ""

    init(_ text: String) {
        for line in text.split(separator: "\n") { read(line) }
        close()
    }

    private mutating func read(_ line: Substring) {
        let (code, description) = Self.split(line)
        let words = code.split(separator: " ").map(String.init)
        guard let first = words.first else { return }
        if first == "#" {
            close()
            package = words.last ?? ""
        } else if line.first != " " {
            close()
            openName = first
            var rules = Schema.Rules()
            // Two kinds are called Event; the second is written NewEvent.
            rules.name = "\(package).\(first == "NewEvent" ? "Event" : first)"
            rules.emptyIsAbsent = true
            rules.type = .object
            rules.description = description
            rules.typeDescription = description
            for word in words.dropFirst() { apply(flag: word, to: &rules) }
            open = rules
        } else {
            readField(words, description)
        }
    }

    private static func split(_ line: Substring) -> (Substring, String?) {
        guard let range = line.firstRange(of: "-- ") else { return (line, nil) }
        return (line[..<range.lowerBound], String(line[range.upperBound...]))
    }

    private mutating func close() {
        if let open { types[openName] = Schema(open) }
        open = nil
    }

    private mutating func readField(_ words: [String], _ description: String?) {
        guard words.count >= 2 else {
            problems.append("\(openName): \(words)")
            return
        }
        var name = words[0]
        let isRequired = name.hasSuffix("!")
        if isRequired { name.removeLast() }
        let schema = type(words[1]).with { rules in
            if let description { rules.description = description }
            for word in words.dropFirst(2) { apply(flag: word, to: &rules) }
        }
        open?.properties[name] = schema
        if isRequired { open?.required.append(name) }
    }

    private mutating func type(_ name: String) -> Schema {
        var rules = Schema.Rules()
        if name.hasPrefix("[]") {
            rules.type = .array
            rules.items = type(String(name.dropFirst(2)))
            return Schema(rules)
        }
        if name.hasPrefix("{}") {
            rules.type = .object
            rules.additionalProperties = type(String(name.dropFirst(2)))
            return Schema(rules)
        }
        switch name {
        case "string": rules.type = .string
        case "bytes": (rules.type, rules.format) = (.string, "byte")
        case "int": (rules.type, rules.format) = (.integer, "int32")
        case "long": (rules.type, rules.format) = (.integer, "int64")
        case "float": (rules.type, rules.format) = (.number, "double")
        case "bool": rules.type = .boolean
        case "quantity":
            (rules.isIntOrString, rules.format) = (true, "quantity")
            rules.name = "io.k8s.apimachinery.pkg.api.resource.Quantity"
        case "intstr":
            (rules.isIntOrString, rules.format) = (true, "int-or-string")
            rules.name = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
        case "time", "microtime": (rules.type, rules.format) = (.string, "date-time")
        case "any": (rules.type, rules.preservesUnknownFields) = (.object, true)
        case "json": rules.preservesUnknownFields = true
        default:
            if let known = types[name] { return known }
            problems.append("\(openName): unknown type \(name)")
            rules.preservesUnknownFields = true
        }
        return Schema(rules)
    }

    private mutating func apply(flag: String, to rules: inout Schema.Rules) {
        let rest = String(flag.dropFirst())
        switch flag.first {
        case "@": rules.listType = rest == "set" ? .set : .map(keys: rest.split(separator: ",").map(String.init))
        case "~" where rest == "retain": rules.patch.retainsKeys = true
        case "~":
            rules.patch.merges = true
            rules.patch.mergeKey = rest.isEmpty ? nil : rest
        case "=":
            do {
                rules.defaultValue = try JSONValue(parsing: rest)
            } catch {
                problems.append("\(openName): \(flag): \(error)")
            }
        case "(": rules.enumeration = rest.dropLast().split(separator: "|").map { .string(String($0)) }
        default: applyWord(flag, to: &rules)
        }
    }

    private mutating func applyWord(_ flag: String, to rules: inout Schema.Rules) {
        if flag == "atomic" {
            rules.isAtomicMap = true
        } else if flag == "some" {
            if rules.type == .array { rules.minItems = 1 } else { rules.minLength = 1 }
        } else if flag == "open" {
            rules.preservesUnknownFields = true
        } else if let range = flag.firstRange(of: "..") {
            rules.namesWholeRange = true
            rules.minimum = Double(String(flag[..<range.lowerBound]))
            rules.maximum = Double(String(flag[range.upperBound...]))
        } else {
            problems.append("\(openName): unknown flag \(flag)")
        }
    }
}
