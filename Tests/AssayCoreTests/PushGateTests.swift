import JSON
import KubernetesModel
import Testing

@testable import AssayCore

/// Who may speak of a training: a pod of its current attempt, and nobody else.
@Suite struct PushGateTests {
    private static let identity = PushIdentity(namespace: "ml", pod: "wine-1-abc", podUID: "p")

    /// A world in which the push is taken, for each case to change.
    struct Situation: Sendable {
        var path = "/v1/namespaces/ml/trainingjobs/wine/metrics"
        var identity = PushGateTests.identity
        var trainingJob: JSONValue? = [
            "metadata": ["name": "wine", "namespace": "ml", "uid": "t"], "spec": [:],
            "status": [
                "observedGeneration": 1, "phase": "Running",
                "attempts": [["number": 1, "job": "wine-1", "jobUID": "j", "outcome": "Running"]],
            ],
        ]
        var pod: JSONValue? = [
            "metadata": [
                "name": "wine-1-abc", "namespace": "ml", "uid": "p", "labels": ["assay.dev/trainingjob": "wine"],
                "ownerReferences": [
                    ["apiVersion": "batch/v1", "kind": "Job", "name": "wine-1", "uid": "j", "controller": true]
                ],
            ]
        ]
        var job: JSONValue? = [
            "metadata": [
                "name": "wine-1", "namespace": "ml", "uid": "j",
                "ownerReferences": [
                    [
                        "apiVersion": "assay.dev/v1alpha1", "kind": "TrainingJob", "name": "wine", "uid": "t",
                        "controller": true,
                    ]
                ],
            ]
        ]

        func subject() throws -> PushSubject {
            let target = try #require(PushTarget(path: path))
            return try PushGate.subject(
                of: target, from: identity, trainingJob: try trainingJob.map { try TrainingJob(json: $0) },
                pod: try pod.map { try PodObservation(json: $0) }, job: try job.map { try JobObservation(json: $0) })
        }
    }

    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        /// Nil where it is taken.
        var code: Int?
        var change: @Sendable (inout Situation) -> Void

        init(_ description: String, _ code: Int?, _ change: @escaping @Sendable (inout Situation) -> Void) {
            testDescription = description
            self.code = code
            self.change = change
        }
    }

    private static func attempts(_ list: JSONValue) -> @Sendable (inout Situation) -> Void {
        { $0.trainingJob?["status", "attempts"] = list }
    }

    static let cases: [Case] = [
        .init("all is well", nil) { _ in },
        .init("the Job's uid is not in the status yet", nil) { situation in
            attempts([["number": 1, "job": "wine-1", "outcome": "Running"]])(&situation)
        },
        .init("a token of another namespace", 403) { $0.identity.namespace = "other" },
        .init("a training of another namespace", 403) {
            $0.path = "/v1/namespaces/other/trainingjobs/wine/metrics"
            $0.trainingJob = nil
        },
        .init("no such training", 404) { $0.trainingJob = nil },
        .init("a pod that is not known", 403) { $0.pod = nil },
        .init("a later pod of the same name", 403) { $0.pod?["metadata", "uid"] = "later" },
        .init("a pod of another training", 403) {
            $0.pod?["metadata", "labels"] = ["assay.dev/trainingjob": "beer"]
        },
        .init("a pod that only has the label", 403) { $0.pod?["metadata", "ownerReferences"] = [] },
        .init("a pod of something else", 403) {
            $0.pod?["metadata", "ownerReferences"] = [
                ["apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "wine-1", "uid": "j", "controller": true]
            ]
        },
        .init("a Job that is not known", 403) { $0.job = nil },
        .init("a later Job of the same name", 403) { $0.job?["metadata", "uid"] = "later" },
        .init("a Job of another training", 403) { situation in
            situation.job?["metadata", "ownerReferences"] = [
                [
                    "apiVersion": "assay.dev/v1alpha1", "kind": "TrainingJob", "name": "beer", "uid": "b",
                    "controller": true,
                ]
            ]
        },
        .init("no attempt yet", 403) { situation in attempts([])(&situation) },
        .init("an attempt that is over", 403) { situation in
            attempts([["number": 1, "job": "wine-1", "jobUID": "j", "outcome": "Succeeded"]])(&situation)
        },
        .init("an earlier attempt", 403) { situation in
            attempts([
                ["number": 1, "job": "wine-1", "jobUID": "j", "outcome": "Lost"],
                ["number": 2, "job": "wine-2", "outcome": "Running"],
            ])(&situation)
        },
        .init("a Job of the attempt's name that is not the one", 403) { situation in
            attempts([["number": 1, "job": "wine-1", "jobUID": "other", "outcome": "Running"]])(&situation)
        },
        .init("a training that is over", 403) { $0.trainingJob?["status", "phase"] = "Succeeded" },
        .init("no status", 403) { $0.trainingJob?["status"] = nil },
        .init("a status that nobody can read", 403) { $0.trainingJob?["status", "phase"] = "Nowhere" },
    ]

    @Test(arguments: cases) func onlyAPodOfTheCurrentAttemptIsHeard(_ one: Case) throws {
        var situation = Situation()
        one.change(&situation)
        guard let code = one.code else {
            let subject = try situation.subject()
            #expect(
                subject.attempt == 1 && subject.trainingJobUID == "t" && subject.jobUID == "j" && subject.step == nil)
            return
        }
        #expect {
            _ = try situation.subject()
        } throws: {
            ($0 as? PushRefusal)?.code == code
        }
    }

    @Test func aStepsPodSpeaksOfItsStep() throws {
        var situation = Situation()
        situation.trainingJob?["status", "attempts"] = nil
        situation.trainingJob?["status", "steps"] = [
            [
                "name": "prepare", "phase": "Succeeded",
                "attempts": [["number": 1, "job": "wine-0", "jobUID": "i", "outcome": "Succeeded"]],
            ],
            [
                "name": "train", "phase": "Running",
                "attempts": [
                    ["number": 1, "job": "wine-lost", "jobUID": "l", "outcome": "Failed"],
                    ["number": 2, "job": "wine-1", "jobUID": "j", "outcome": "Running"],
                ],
            ],
        ]
        let subject = try situation.subject()
        #expect(subject.step == "train" && subject.attempt == 2)
        situation.job?["metadata", "name"] = "wine-0"
        situation.job?["metadata", "uid"] = "i"
        situation.pod?["metadata", "ownerReferences"] = [
            ["apiVersion": "batch/v1", "kind": "Job", "name": "wine-0", "uid": "i", "controller": true]
        ]
        #expect(throws: PushRefusal.self) { _ = try situation.subject() }
    }

    @Test(arguments: [
        "", "/", "/v1", "/v1/namespaces/ml/trainingjobs/wine", "/v1/namespaces/ml/trainingjobs/wine/metrics/",
        "/v1/namespaces//trainingjobs/wine/metrics", "/v1/namespaces/ml/trainingjobs//metrics",
        "/v1/namespaces/ml/mlmodels/wine/metrics", "/v1/namespaces/ml/trainingjobs/../metrics",
        "/v1/namespaces/m%6c/trainingjobs/wine/metrics", "v1/namespaces/ml/trainingjobs/wine/metrics",
        "/v1/namespaces/ML/trainingjobs/wine/metrics", "//v1/namespaces/ml/trainingjobs/wine/metrics",
    ]) func noOtherPathIsATarget(_ path: String) {
        #expect(PushTarget(path: path) == nil)
    }

    // MARK: What the API server says of a token

    private static func review(_ change: (inout JSONValue) -> Void) -> JSONValue {
        var review: JSONValue = [
            "status": [
                "authenticated": true, "audiences": [.string(PushChannel.audience)],
                "user": [
                    "username": "system:serviceaccount:ml:default", "uid": "a",
                    "extra": [
                        "authentication.kubernetes.io/pod-name": ["wine-1-abc"],
                        "authentication.kubernetes.io/pod-uid": ["p"],
                    ],
                ],
            ]
        ]
        change(&review)
        return review
    }

    static let reviews: [(String, JSONValue)] = [
        ("not authenticated", review { $0["status", "authenticated"] = false }),
        ("nothing said", review { $0["status"] = [:] }),
        ("authenticated in words", review { $0["status", "authenticated"] = "true" }),
        ("another audience", review { $0["status", "audiences"] = ["https://kubernetes.default.svc"] }),
        ("a server without audiences", review { $0["status", "audiences"] = nil }),
        ("a person", review { $0["status", "user", "username"] = "admin" }),
        ("a name like an account's", review { $0["status", "user", "username"] = "system:serviceaccount:ml" }),
        ("bound to no pod", review { $0["status", "user", "extra"] = nil }),
        (
            "bound to a pod without uid",
            review {
                $0["status", "user", "extra"] = [
                    "authentication.kubernetes.io/pod-name": ["a"]
                ]
            }
        ),
    ]

    private static func identity(_ review: JSONValue) -> PushIdentity? {
        ReviewedAccount(review: review, audience: PushChannel.audience).flatMap { PushIdentity($0) }
    }

    @Test func onlyATokenOfAPodForThisAudienceIsKnown() {
        #expect(Self.identity(Self.review { _ in }) == Self.identity)
        for (what, review) in Self.reviews {
            #expect(Self.identity(review) == nil, "\(what)")
        }
    }
}
