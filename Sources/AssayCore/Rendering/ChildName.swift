/// Names of the objects that the operator makes.
///
/// An object may have a long name, but its pods, host names and labels have 63 characters, and an indexed pod adds its
/// number. So a child's name has at most 52 and is a function of what it stands for, which is what makes creation safe
/// to repeat.
public enum ChildName {
    public static let longest = 52

    /// `<prefix>-<suffix>-<hash>`, the prefix cut as far as needed. `identity` is everything that tells two children
    /// apart.
    public static func make(prefix: String, suffix: String = "", identity: [String], hashLength: Int = 8) -> String {
        let tail = (suffix.isEmpty ? "" : "-" + suffix) + "-" + ContentHash(of: identity).prefix(hashLength)
        var head = String(prefix.prefix(max(1, longest - tail.count)))
        // "a--b" is allowed, but reads like a mistake.
        while head.count > 1, head.hasSuffix("-") { head.removeLast() }
        return head + tail
    }

    /// The Job of one attempt of a TrainingJob, or of one of its steps.
    public static func job(namespace: String, name: String, uid: String, step: String = "", attempt: Int) -> String {
        let identity = [namespace, name, uid] + (step.isEmpty ? [] : [step]) + [String(attempt)]
        return make(
            prefix: step.isEmpty ? name : "\(name)-\(step)", suffix: String(attempt), identity: identity)
    }

    /// The Service by which the pods of a step of several nodes find each other, in every attempt. No attempt has an empty
    /// number.
    static func nodes(namespace: String, name: String, uid: String, step: String) -> String {
        make(prefix: "\(name)-\(step)", suffix: "nodes", identity: [namespace, name, uid, step, ""])
    }

    /// The Job that looks for what is there already. No step has an empty name.
    static func lookup(namespace: String, name: String, uid: String, number: Int) -> String {
        make(prefix: name, suffix: "resolve-\(number)", identity: [namespace, name, uid, "", String(number)])
    }

    /// The Job that compares the holdout.
    static func comparison(namespace: String, name: String, uid: String, number: Int) -> String {
        make(
            prefix: name, suffix: "overlap-\(number)", identity: [namespace, name, uid, "overlap", "", String(number)])
    }

    /// What the containers of a workflow are told in `ASSAY_RUN`.
    static func workflowRun(namespace: String, name: String, uid: String) -> String {
        make(prefix: name, identity: [namespace, name, uid])
    }

    /// The TrainingJob of one run of an MLModel.
    public static func run(namespace: String, name: String, uid: String, number: Int, trainingHash: String) -> String {
        make(prefix: name, suffix: String(number), identity: [namespace, name, uid, String(number), trainingHash])
    }
}
