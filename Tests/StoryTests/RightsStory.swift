import AssayCore
import JSON
import KubernetesClient
import KubernetesModel
import TestCluster

/// A short story that cannot go on without certain rights, and how to tell that it came to its end.
struct RightsStory: Sendable {
    /// What a person does, up to where the right is needed.
    var begin: @Sendable (StoryWorld) async throws -> Void
    /// Whether the end is reached.
    var isOver: @Sendable (StoryWorld) async throws -> Bool
    /// The operator's, where its pods run it.
    var image: String?
    /// What is there before the operator is.
    var prepare: @Sendable (StoryWorld) async throws -> Void = { _ in }
    /// What a person does again and again until something is said.
    var insist: @Sendable (StoryWorld) async throws -> Void = { _ in }

    /// A model whose server does nothing, and costs next to nothing.
    private static func model(seconds: Int = 3600, replicas: Int = 1) -> String {
        ToyModel(serverCommand: "/bin/sh\", \"-c\", \"exec sleep \(seconds)", replicas: replicas).yaml
            .replacing(
                /readinessProbe:.*/, with: "readinessProbe: {exec: {command: [\"/bin/true\"]}, periodSeconds: 2}")
    }

    /// A model whose training never begins.
    private static func waiting(suspended: Bool = false) -> String {
        ToyModel(image: "registry.local/unknown:1").yaml
            .replacing("\n  training:\n", with: "\n  suspend: \(suspended)\n  training:\n")
    }

    private static let alone = """
        apiVersion: assay.dev/v1alpha1
        kind: TrainingJob
        metadata: {name: alone}
        spec:
          ttlSecondsAfterFinished: 3600
          template:
            spec:
              restartPolicy: Never
              containers: [{name: train, image: "registry.local/toy:1", command: [train]}]
        """

    private static func isServing(_ world: StoryWorld) async throws -> Bool {
        let model = try await world.model()
        return model.isObserved && model.isTrue("Ready") && model.phase == "Serving" && !model.isTrue("Reconciling")
    }

    private static func serve(_ world: StoryWorld) async throws {
        try await world.apply(yaml: model())
        try await world.eventually("a model serves in \(world.namespace)") { try await isServing(world) }
    }

    private static func deployment(_ world: StoryWorld) async throws -> JSONValue? {
        try await world.client.listAll(.deployments, namespace: world.namespace).items.first
    }

    // MARK: The stories

    static let main = RightsStory(
        begin: { try await $0.apply(yaml: model()) }, isOver: { try await isServing($0) })

    static let secondRevision = RightsStory(
        begin: { world in
            try await serve(world)
            // With a longer history the first one's Deployment is kept, to go back to.
            try await world.apply(
                yaml: model(seconds: 3601).replacing(
                    "\n  training:\n", with: "\n  revisionHistoryLimit: 1\n  training:\n"))
        },
        isOver: { world in
            let model = try await world.model()
            let states = model["status", "revisions"]?.array?.compactMap { $0["state"]?.string } ?? []
            let deployments = try await world.count(.deployments)
            return try await isServing(world) && states.contains("Superseded") && deployments == 1
        })

    static let driftedDeployment = RightsStory(
        begin: { world in
            try await serve(world)
            let name = try await deployment(world)?["metadata", "name"]?.string ?? ""
            _ = try await world.client.mergePatch(
                .deployments, world.key(name), ["metadata": ["labels": [Label.revision: "drifted"]]],
                fieldManager: "somebody")
        },
        isOver: { world in
            let label = try await deployment(world)?["metadata", "labels"]?[Label.revision]?.string
            return try await isServing(world) && label != nil && label != "drifted"
        })

    static let scaled = RightsStory(
        begin: { world in
            try await serve(world)
            try await world.apply(yaml: model(replicas: 2))
        },
        isOver: { world in
            let replicas = try await world.model()["status", "replicas"]?.int
            return try await isServing(world) && replicas == 2
        })

    static let suspended = RightsStory(
        begin: { world in
            try await world.apply(yaml: waiting())
            try await world.eventually("a training waits in \(world.namespace)") {
                try await world.count(.trainingJobs) == 1
            }
            try await world.apply(yaml: waiting(suspended: true))
        },
        isOver: { world in
            let children = try await world.client.listAll(.trainingJobs, namespace: world.namespace).items
            return children.count == 1 && children[0]["spec", "suspend"] == true
        })

    static let changedTraining = RightsStory(
        begin: { world in
            try await world.apply(yaml: waiting())
            try await world.eventually("a training waits in \(world.namespace)") {
                try await world.count(.trainingJobs) == 1
            }
            try await world.apply(yaml: model())
        },
        isOver: { world in
            let count = try await world.count(.trainingJobs)
            return try await isServing(world) && count == 1
        })

    static let cleanedTraining = RightsStory(
        begin: { try await $0.apply(yaml: alone) },
        isOver: { world in
            let job = try await world.client.listAll(.jobs, namespace: world.namespace).items.first
            let lifetime = job?["spec", "ttlSecondsAfterFinished"]?.int
            let keepsLifetime = world.cluster.features.contains(.jobTTL)
            let training = try await world.client.get(.trainingJobs, world.key("alone"))
            return training.isTrue("Ready") && (lifetime == 3600 || !keepsLifetime)
        })

    static let forbiddenPods = RightsStory(
        begin: { world in
            try await world.apply(
                yaml: """
                    apiVersion: v1
                    kind: ResourceQuota
                    metadata: {name: none}
                    spec: {hard: {pods: "0"}}
                    """)
            try await world.apply(yaml: alone)
        },
        isOver: { world in
            let training = try await world.client.get(.trainingJobs, world.key("alone"))
            return training.condition("Reconciling")?.message.contains("pods cannot be created") == true
        })

    /// A step is made, with its artifacts on a claim that the training names.
    static let workflow = RightsStory.workflow(store: "artifactStore: {uri: pvc://models}", "")

    /// The same where the namespace names it.
    static let workflowOfTheNamespacesStore = RightsStory.workflow(
        store: "seed: 1",
        """
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: assay-store}
        data: {uri: pvc://models}
        ---
        """)

    private static func workflow(store: String, _ more: String) -> RightsStory {
        RightsStory(
            begin: { world in
                try await world.apply(
                    yaml: """
                        \(more)
                        apiVersion: v1
                        kind: PersistentVolumeClaim
                        metadata: {name: models}
                        spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
                        ---
                        apiVersion: assay.dev/v1alpha1
                        kind: TrainingJob
                        metadata: {name: steps}
                        spec:
                          \(store)
                          steps:
                          - name: only
                            outputs: [model]
                            template:
                              spec:
                                containers:
                                - name: main
                                  image: registry.local/toy:1
                                  command: [sh, -c, "echo 1 > $ASSAY_OUTPUT_MODEL/weights"]
                        """)
            },
            isOver: { world in try await world.client.get(.trainingJobs, world.key("steps")).isTrue("Ready") },
            image: "assay:0.1.0")
    }

    /// A model that is held until its artifacts are gone.
    static let heldByFinalizer = RightsStory(
        begin: { world in
            try await world.apply(
                yaml: model().replacing("\n  training:\n", with: "\n  deletionPolicy: Delete\n  training:\n"))
        },
        isOver: { world in
            let finalizers = try await world.model()["metadata", "finalizers"]?.array ?? []
            return try await isServing(world) && finalizers.contains(.string(Finalizer.artifacts))
        })

    /// A model whose candidate is tried by a test.
    private static func tested(seconds: Int) -> String {
        let test = """
            tests:
                - name: one
                  template:
                    spec:
                      containers: [{name: main, image: "registry.local/toy:1", command: [sleep, "\(seconds)"]}]
            """
        return model().replacing("\n  validation:\n", with: "\n  validation:\n    \(test)\n")
    }

    static let proven = RightsStory(
        begin: { try await $0.apply(yaml: tested(seconds: 0)) }, isOver: { try await isServing($0) })

    /// The candidate goes while it is tried.
    static let testOfNobody = RightsStory(
        begin: { world in
            try await world.apply(yaml: tested(seconds: 3600))
            try await world.eventually("a test runs in \(world.namespace)") { try await count(ofTests: world) == 1 }
            try await world.apply(yaml: model(seconds: 3601))
        },
        isOver: { world in
            let count = try await count(ofTests: world)
            return try await isServing(world) && count == 0
        })

    private static func count(ofTests world: StoryWorld) async throws -> Int {
        try await world.client.listAll(.jobs, namespace: world.namespace, ListOptions(labelSelector: Label.proof)).items
            .count
    }

    static let lentAccount = RightsStory(
        begin: { world in
            _ = try await world.client.create(
                .serviceAccounts,
                [
                    "metadata": [
                        "name": "runner", "namespace": .string(world.namespace),
                        "annotations": [Label.allowUse: "true"],
                    ]
                ], fieldManager: "somebody")
            try await world.apply(
                yaml: model().replacing(
                    "restartPolicy: Never", with: "restartPolicy: Never\n            serviceAccountName: runner"))
        },
        isOver: { try await isServing($0) })

    /// The same happens to a model again, so that the event is counted and not written anew.
    static let repeatedEvents = RightsStory(
        begin: { try await suspendAgainAndAgain($0, times: 2) },
        isOver: { world in
            try await suspendAgainAndAgain(world, times: 2)
            return try await world.client.listAll(.events, namespace: world.namespace).items
                .contains { $0["series", "count"]?.int ?? 0 >= 2 }
        })

    private static func suspendAgainAndAgain(_ world: StoryWorld, times: Int) async throws {
        for _ in 0..<times {
            for suspended in [true, false] {
                try await world.apply(yaml: waiting(suspended: suspended))
                try await world.eventually("the model of \(world.namespace) is suspended: \(suspended)") {
                    let model = try await world.model()
                    return model.isObserved && model.isTrue("Suspended") == suspended
                }
            }
        }
    }

    // MARK: Pushes

    /// A training that ends once its push was taken.
    static let push = RightsStory(
        begin: { world in
            try await world.apply(
                yaml: """
                    apiVersion: v1
                    kind: Service
                    metadata: {name: assay-push}
                    spec: {ports: [{name: push, port: 443, targetPort: 8443, protocol: TCP}]}
                    ---
                    apiVersion: assay.dev/v1alpha1
                    kind: TrainingJob
                    metadata: {name: alone}
                    spec:
                      backoffLimit: 0
                      template:
                        spec:
                          restartPolicy: Never
                          containers:
                          - name: train
                            image: registry.local/toy:1
                            command:
                            - /bin/sh
                            - -c
                            - >-
                              until curl --silent --show-error --fail --max-time 10 --cacert "$ASSAY_PUSH_CA_FILE"
                              --header "Content-Type: application/json"
                              --header "Authorization: Bearer $(cat $ASSAY_PUSH_TOKEN_FILE)"
                              --data '{"progressPercentage": 50}' "$ASSAY_PUSH_URL"; do sleep 1; done
                    """)
        },
        isOver: { world in try await world.client.get(.trainingJobs, world.key("alone")).isTrue("Ready") })

    /// Certificates that somebody has broken are made anew.
    static let brokenCertificates = RightsStory(
        begin: { try await $0.apply(yaml: model()) }, isOver: { try await isServing($0) },
        prepare: { world in
            let metadata: JSONValue = ["name": "assay-push-tls", "namespace": .string(world.namespace)]
            _ = try await world.client.create(.secrets, ["metadata": metadata], fieldManager: "somebody")
        })

    /// Authorities of an earlier time are replaced.
    static let oldAuthorities = RightsStory(
        begin: { try await $0.apply(yaml: model()) }, isOver: { try await isServing($0) },
        prepare: { world in
            let metadata: JSONValue = [
                "name": .string(PushChannel.authorities), "namespace": .string(world.namespace),
                "labels": [Label.managedBy: .string(Label.manager)],
            ]
            _ = try await world.client.create(
                .configMaps, ["metadata": metadata, "data": [PushChannel.authoritiesKey: "old"]],
                fieldManager: "somebody")
        })

    static let ownPodName = "self"

    /// The operator learns the image of its own pod.
    static let ownPod = RightsStory(
        begin: { world in
            let pod: JSONValue = [
                "metadata": ["name": .string(ownPodName), "namespace": .string(world.namespace)],
                "spec": [
                    "restartPolicy": "Never",
                    "containers": [
                        [
                            "name": "operator", "image": "registry.local/toy:1",
                            "command": ["/bin/sh", "-c", "exec sleep 3600"],
                        ]
                    ],
                ],
            ]
            _ = try await world.client.create(.pods, pod, fieldManager: "somebody")
            try await world.apply(yaml: model())
        },
        isOver: { try await isServing($0) })
}
