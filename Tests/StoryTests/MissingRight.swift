import KubernetesModel

/// A right that is taken away, the story that breaks for want of it, and where the program says so.
struct MissingRight: Sendable {
    enum Sign: Sendable {
        /// `/readyz` is 503 and names it.
        case readiness
        /// `Reconciling` with the reason `Forbidden` names it, on an object of either kind.
        case condition
        /// A warning event about the object names it, for the status cannot be written.
        case event
        /// A warning or an error in the log names it, for it concerns no object, or events themselves.
        case log
    }

    var right: Right
    var story: RightsStory
    var sign: Sign
    /// The request that is refused, where that is not the one which the right is named for.
    var refused: String
    /// What the server says.
    var words: String
    /// The story comes to its end all the same, later or with less said: it is the program that is not well.
    var leavesTheStoryWhole: Bool

    /// Nil for a right that no story needs, which therefore has no place in the manifests.
    init?(_ right: Right, in table: Table) {
        guard let entry = table[right.description] else { return nil }
        self.right = right
        (story, sign) = (entry.story, entry.sign)
        refused = entry.refused ?? right.description
        words = entry.words ?? right.refusal
        leavesTheStoryWhole = entry.isOverAnyway
    }

    /// What breaks without each right of a program.
    typealias Table = [String: Entry]

    struct Entry: Sendable {
        var story = RightsStory.main
        var sign = Sign.condition
        var refused: String?
        var words: String?
        var isOverAnyway = false
    }

    /// The owner's finalizers are asked for when a child is made that holds the owner's deletion back.
    private static func finalizers(_ child: String) -> Entry {
        Entry(refused: "create \(child)", words: "a resource you can't set finalizers on")
    }

    /// Whatever is missing is said by readiness, or when a model cannot be woken.
    static let ofGateway: Table = {
        var table: Table = [:]
        for type in ["mlmodels.assay.dev", "pods"] {
            for verb in ["list", "watch"] { table["\(verb) \(type)"] = Entry(story: .wakeUp, sign: .readiness) }
        }
        for verb in ["get", "patch"] { table["\(verb) deployments.apps/scale"] = Entry(story: .wakeUp, sign: .log) }
        table["create tokenreviews.authentication.k8s.io"] = Entry(story: .caller, sign: .log)
        return table
    }()

    static let ofOperator: Table = {
        var table: Table = [
            "get mlmodels.assay.dev": Entry(),
            "get trainingjobs.assay.dev": Entry(),
            "create trainingjobs.assay.dev": Entry(),
            "patch trainingjobs.assay.dev": Entry(story: .suspended),
            "delete trainingjobs.assay.dev": Entry(story: .changedTraining),
            "patch mlmodels.assay.dev": Entry(story: .heldByFinalizer),
            "patch mlmodels.assay.dev/status": Entry(sign: .event),
            "patch trainingjobs.assay.dev/status": Entry(sign: .event),
            "update mlmodels.assay.dev/finalizers": finalizers("trainingjobs.assay.dev"),
            "update trainingjobs.assay.dev/finalizers": finalizers("jobs.batch"),
            "get jobs.batch": Entry(),
            "create jobs.batch": Entry(),
            "patch jobs.batch": Entry(story: .cleanedTraining),
            "delete jobs.batch": Entry(story: .testOfNobody),
            "get deployments.apps": Entry(),
            "create deployments.apps": Entry(),
            "patch deployments.apps": Entry(story: .driftedDeployment),
            "delete deployments.apps": Entry(story: .secondRevision),
            "patch deployments.apps/scale": Entry(story: .scaled),
            "get services": Entry(),
            "create services": Entry(),
            "patch services": Entry(story: .secondRevision),
            "delete services": Entry(story: .proven),
            "get networkpolicies.networking.k8s.io": Entry(story: .proven),
            "create networkpolicies.networking.k8s.io": Entry(story: .proven),
            "delete networkpolicies.networking.k8s.io": Entry(story: .proven),
            "get pods": Entry(story: .ownPod, sign: .log, isOverAnyway: true),
            "list events": Entry(story: .forbiddenPods),
            "get namespaces": Entry(),
            "get serviceaccounts": Entry(story: .lentAccount),
            "get persistentvolumeclaims": Entry(story: .workflow),
            "get configmaps": Entry(story: .workflowOfTheNamespacesStore),
            // Events are a courtesy: those that were refused are not told later, and nothing waits for them.
            "create events.events.k8s.io": Entry(sign: .log, isOverAnyway: true),
            "patch events.events.k8s.io": Entry(story: .repeatedEvents, sign: .log, isOverAnyway: true),
        ]
        // Trainings go on without pushes.
        for verb in ["get", "create", "update"] {
            let story: RightsStory = verb == "update" ? .brokenCertificates : .main
            table["\(verb) secrets"] = Entry(story: story, sign: .log, isOverAnyway: true)
        }
        for verb in ["create", "patch"] {
            let story: RightsStory = verb == "patch" ? .oldAuthorities : .main
            table["\(verb) configmaps"] = Entry(story: story, sign: .log, isOverAnyway: true)
            table["\(verb) endpoints"] = Entry(sign: .log, isOverAnyway: true)
        }
        table["create tokenreviews.authentication.k8s.io"] = Entry(story: .push, sign: .log)
        // Nobody leads without them, so nothing is done. A leader who may not renew ends, and so may have ended the story.
        for verb in ["get", "create", "update"] {
            table["\(verb) leases.coordination.k8s.io"] = Entry(sign: .readiness, isOverAnyway: verb == "update")
        }
        for type in [
            "mlmodels.assay.dev", "trainingjobs.assay.dev", "jobs.batch", "deployments.apps", "services", "pods",
            "networkpolicies.networking.k8s.io",
        ] {
            for verb in ["list", "watch"] { table["\(verb) \(type)"] = Entry(sign: .readiness) }
        }
        // What these would tell is also asked for before each step that is final.
        for right in ["watch services", "watch pods", "watch networkpolicies.networking.k8s.io"] {
            table[right]?.isOverAnyway = true
        }
        return table
    }()

    /// One for each way to break and to say so.
    static let representative: Set = [
        "list jobs.batch", "watch mlmodels.assay.dev", "get namespaces", "create jobs.batch", "patch services",
        "delete deployments.apps", "patch deployments.apps/scale", "update trainingjobs.assay.dev/finalizers",
        "patch mlmodels.assay.dev/status", "create events.events.k8s.io", "get pods",
        "list events", "update leases.coordination.k8s.io", "create tokenreviews.authentication.k8s.io",
    ]
}
