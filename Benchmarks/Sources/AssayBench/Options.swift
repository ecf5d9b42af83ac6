/// What a reconcile does.
enum Action: String {
    /// Reads the cache.
    case none
    /// Patches the widget's status.
    case status
    /// Creates a Job, then patches the status.
    case job
}

struct UsageError: Error, CustomStringConvertible {
    var description: String
}

/// The options that every measured controller has: `--action job --workers 4 --expect 1000 --gated`,
/// and `--newest`.
struct Options {
    var action = Action.none
    var workers = 1
    var expect = 0
    var isGated = false
    /// Lists come from etcd, not from the server's cache.
    var newest = false

    init(_ arguments: [String]) throws(UsageError) {
        var rest = arguments[...]
        while let option = rest.popFirst() {
            if option == "--gated" {
                isGated = true
                continue
            }
            if option == "--newest" {
                newest = true
                continue
            }
            guard let value = rest.popFirst() else { throw UsageError(description: "\(option) needs a value") }
            switch (option, Int(value), Action(rawValue: value)) {
            case ("--action", _, let action?): self.action = action
            case ("--workers", let number?, _): workers = number
            case ("--expect", let number?, _): expect = number
            default: throw UsageError(description: "\(option) \(value) is no option")
            }
        }
    }
}
