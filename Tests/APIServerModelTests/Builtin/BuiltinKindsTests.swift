import JSON
import KubernetesModel
import Testing

@testable import APIServerModel

@Suite struct BuiltinKindsTests {
    static func definition(_ kind: String) throws -> ResourceDefinition {
        try #require(BuiltinKinds.all.first { $0.type.kind == kind })
    }

    @Test func `The notation of the types has no mistakes`() {
        #expect(BuiltinTypes.problems == [])
        for definition in BuiltinKinds.all { #expect(definition.schema.name != nil, "\(definition.type)") }
    }

    @Test func `Every type that the client knows is served`() {
        let served = Set(BuiltinKinds.all.map(\.type))
        for type: ResourceType in [
            .namespaces, .nodes, .pods, .services, .endpoints, .configMaps, .secrets, .serviceAccounts,
            .persistentVolumeClaims, .persistentVolumes, .resourceQuotas, .events, .coreEvents, .jobs, .deployments,
            .replicaSets, .endpointSlices, .leases, .customResourceDefinitions,
        ] { #expect(served.contains(type), "\(type)") }
    }

    @Test func `A pod gets the server's defaults`() throws {
        let pod = try Self.definition("Pod").applyDefaults([
            "spec": [
                "containers": [
                    [
                        "name": "a", "image": "app", "ports": [["containerPort": 80]],
                        "readinessProbe": ["httpGet": ["port": 80]], "resources": ["limits": ["cpu": "1"]],
                    ],
                    ["name": "b", "image": "registry:5000/app:1.2"],
                ],
                "volumes": [["name": "v"], ["name": "c", "configMap": ["name": "c"]]],
                "serviceAccountName": "sa",
            ]
        ])
        #expect(
            pod["spec"] == [
                "containers": [
                    [
                        "name": "a", "image": "app", "ports": [["containerPort": 80, "protocol": "TCP"]],
                        "readinessProbe": [
                            "httpGet": ["port": 80, "path": "/", "scheme": "HTTP"], "timeoutSeconds": 1,
                            "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3,
                        ],
                        "resources": ["limits": ["cpu": "1"], "requests": ["cpu": "1"]],
                        "imagePullPolicy": "Always", "terminationMessagePath": "/dev/termination-log",
                        "terminationMessagePolicy": "File",
                    ],
                    [
                        "name": "b", "image": "registry:5000/app:1.2", "resources": [:],
                        "imagePullPolicy": "IfNotPresent", "terminationMessagePath": "/dev/termination-log",
                        "terminationMessagePolicy": "File",
                    ],
                ],
                "volumes": [
                    ["name": "v", "emptyDir": [:]], ["name": "c", "configMap": ["name": "c", "defaultMode": 420]],
                ],
                "serviceAccountName": "sa", "serviceAccount": "sa", "restartPolicy": "Always",
                "dnsPolicy": "ClusterFirst", "terminationGracePeriodSeconds": 30,
                "schedulerName": "default-scheduler", "securityContext": [:], "enableServiceLinks": true,
            ])
    }

    @Test func `Deployments, jobs and services get theirs`() throws {
        let deployment = try Self.definition("Deployment").applyDefaults(["spec": [:]])
        #expect(
            deployment["spec"] == [
                "replicas": 1, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600,
                "strategy": [
                    "type": "RollingUpdate", "rollingUpdate": ["maxSurge": "25%", "maxUnavailable": "25%"],
                ],
            ])
        #expect(
            try Self.definition("Deployment").applyDefaults(["spec": ["strategy": ["type": "Recreate"]]])[
                "spec", "strategy"] == ["type": "Recreate"])
        #expect(
            try Self.definition("Job").applyDefaults(["spec": [:]])["spec"] == [
                "backoffLimit": 6, "completionMode": "NonIndexed", "suspend": false, "completions": 1,
                "parallelism": 1, "podReplacementPolicy": "TerminatingOrFailed",
            ])
        #expect(
            try Self.definition("Service").applyDefaults(["spec": ["ports": [["port": 80]]]])["spec"] == [
                "ports": [["port": 80, "protocol": "TCP", "targetPort": 80]], "type": "ClusterIP",
                "sessionAffinity": "None", "internalTrafficPolicy": "Cluster", "ipFamilies": ["IPv4"],
                "ipFamilyPolicy": "SingleStack",
            ])
    }

    @Test(arguments: [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
    ])
    func `Plain data of a secret is stored encoded`(_ plain: String, _ encoded: String) throws {
        let secret = try Self.definition("Secret").applyDefaults(["stringData": ["k": .string(plain)]])
        #expect(secret == ["data": ["k": .string(encoded)], "type": "Opaque"])
    }

    @Test(arguments: [
        ("a", false), ("a:latest", false), ("a:1", true), ("r:5000/a", false), ("r:5000/a:latest", false),
        ("a@sha256:00", true),
    ])
    func `An image without a fixed tag is pulled always`(_ image: String, _ fixed: Bool) {
        #expect(BuiltinDefaults.hasFixedTag(image) == fixed)
    }
}

@Suite struct BuiltinValidationTests {
    struct Example: Sendable, CustomTestStringConvertible {
        var kind: String
        var path: [String]
        var value: JSONValue
        var message: String

        init(_ kind: String, _ path: String, _ value: JSONValue, _ message: String) {
            self.kind = kind
            self.path = path.split(separator: ".").map(String.init)
            self.value = value
            self.message = message
        }

        var testDescription: String { message }
    }

    private static let labels: JSONValue = ["app": "a"]
    private static let template: JSONValue = [
        "metadata": ["labels": labels], "spec": ["containers": [["name": "a", "image": "i"]]],
    ]
    private static let good: [String: JSONValue] = [
        "Pod": ["metadata": ["name": "a"], "spec": ["containers": [["name": "a", "image": "i"]]]],
        "Deployment": [
            "metadata": ["name": "a"], "spec": ["selector": ["matchLabels": labels], "template": template],
        ],
        "Job": [
            "metadata": ["name": "a"],
            "spec": ["template": ["spec": ["restartPolicy": "Never", "containers": [["name": "a", "image": "i"]]]]],
        ],
        "Service": ["metadata": ["name": "a"], "spec": ["ports": [["port": 80]]]],
        "ConfigMap": ["metadata": ["name": "a"], "data": ["k": "v"]],
    ]

    static let examples: [Example] = [
        Example("Pod", "metadata.name", "A_b", "metadata.name: Invalid value: \"A_b\": a lowercase RFC 1123 subdomain"),
        Example(
            "Pod", "metadata.labels", ["a/b/c": "x"], "metadata.labels: Invalid value: \"a/b/c\": a qualified name"),
        Example("Pod", "metadata.labels", ["a": "-x"], "metadata.labels: Invalid value: \"-x\": a valid label must be"),
        Example("Pod", "spec.containers", .null, "spec.containers: Required value"),
        Example("Pod", "spec.containers", [], "spec.containers: Required value"),
        Example("Pod", "spec.containers", [["image": "i"]], "spec.containers[0].name: Required value"),
        Example("Pod", "spec.containers", [["name": "a"]], "spec.containers[0].image: Required value"),
        Example(
            "Pod", "spec.containers", [["name": "A", "image": "i"]],
            "spec.containers[0].name: Invalid value: \"A\": a lowercase RFC 1123 label"),
        Example(
            "Pod", "spec.containers", [["name": "a", "image": "i"], ["name": "a", "image": "i"]],
            "spec.containers[1].name: Duplicate value: \"a\""),
        Example(
            "Pod", "spec.restartPolicy", "Sometimes",
            "spec.restartPolicy: Unsupported value: \"Sometimes\": supported values: \"Always\", \"Never\", \"OnFailure\""
        ),
        Example(
            "Pod", "spec.containers", [["name": "a", "image": "i", "ports": [["containerPort": 70000]]]],
            "spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive"),
        Example(
            "Pod", "spec.containers", [["name": "a", "image": "i", "env": [["name": "A=B", "value": "x"]]]],
            "spec.containers[0].env[0].name: Invalid value: \"A=B\": a valid environment variable name"),
        Example(
            "Pod", "spec.containers", [["name": "a", "image": "i", "resources": ["requests": ["cpu": "many"]]]],
            "spec.containers[0].resources.requests[cpu]: Invalid value: \"many\": quantities must match"),
        Example(
            "Pod", "spec.containers",
            [["name": "a", "image": "i", "resources": ["limits": ["cpu": "1"], "requests": ["cpu": "1500m"]]]],
            "spec.containers[0].resources.requests: Invalid value: \"1500m\": must be less than or equal to cpu limit of 1"
        ),
        Example(
            "Pod", "spec.containers",
            [["name": "a", "image": "i", "volumeMounts": [["name": "v", "mountPath": "/v"]]]],
            "spec.containers[0].volumeMounts[0].name: Not found: \"v\""),
        Example(
            "Pod", "spec.containers", [["name": "a", "image": "i", "readinessProbe": ["periodSeconds": 1]]],
            "spec.containers[0].readinessProbe: Required value: must specify a handler type"),
        Example(
            "Pod", "spec.volumes", [["name": "v", "emptyDir": [:], "hostPath": ["path": "/"]]],
            "spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type"),
        Example(
            "Deployment", "spec.template.metadata.labels", ["app": "b"],
            "spec.template.metadata.labels: Invalid value: {\"app\":\"b\"}: `selector` does not match template `labels`"
        ),
        Example("Deployment", "spec.selector", .null, "spec.selector: Required value"),
        Example("Deployment", "spec.selector", [:], "spec.selector: Invalid value: {}: empty selector is invalid"),
        Example(
            "Deployment", "spec.replicas", -1, "spec.replicas: Invalid value: -1: must be greater than or equal to 0"),
        Example(
            "Deployment", "spec.template.spec.restartPolicy", "Never",
            "spec.template.spec.restartPolicy: Unsupported value: \"Never\": supported values: \"Always\""),
        Example(
            "Job", "spec.template.spec.restartPolicy", "Always",
            "spec.template.spec.restartPolicy: Unsupported value: \"Always\": supported values: \"OnFailure\", \"Never\""
        ),
        Example("Service", "metadata.name", "1a", "metadata.name: Invalid value: \"1a\": a DNS-1035 label"),
        Example("Service", "spec.ports", .null, "spec.ports: Required value"),
        Example(
            "Service", "spec.ports", [["port": 80, "name": "a"], ["port": 81]], "spec.ports[1].name: Required value"),
        Example("ConfigMap", "data", ["a b": "x"], "data[a b]: Invalid value: \"a b\": a valid config key"),
    ]

    @Test func `Good objects have nothing wrong`() throws {
        for (kind, object) in Self.good {
            let definition = try BuiltinKindsTests.definition(kind)
            #expect(definition.validate(definition.applyDefaults(object)) == [], "\(kind)")
        }
    }

    @Test(arguments: examples) func `What is wrong is said with its field`(_ example: Example) throws {
        let definition = try BuiltinKindsTests.definition(example.kind)
        var object = try #require(Self.good[example.kind])
        object[path: example.path] = example.value
        let (pruned, dropped) = definition.prune(object)
        #expect(dropped == [])
        let errors = definition.validate(definition.applyDefaults(pruned)).map(\.description)
        #expect(errors.count == 1)
        #expect(errors.first?.hasPrefix(example.message) == true, "\(errors)")
    }

    @Test func `What may not change is refused, what may is not`() throws {
        let job = try BuiltinKindsTests.definition("Job")
        let old = job.applyDefaults(try #require(Self.good["Job"]))
        var new = old
        new["spec", "suspend"] = true
        new["spec", "ttlSecondsAfterFinished"] = 5
        #expect(job.validate(new, old: old) == [])
        new["spec", "template", "spec"]?["hostname"] = "h"
        #expect(job.validate(new, old: old).map(\.path) == ["spec.template"])
        let pod = try BuiltinKindsTests.definition("Pod")
        let running = pod.applyDefaults(try #require(Self.good["Pod"]))
        var changed = running
        changed["spec", "hostname"] = "h"
        #expect(pod.validate(changed, old: running).map(\.kind) == [.forbidden])
    }

    @Test func `A document of another shape is a bad request`() throws {
        let pod = try BuiltinKindsTests.definition("Pod")
        let status = pod.decodingFailure(["spec": ["containers": "a"]])
        #expect(
            status?.message
                == "Pod in version \"v1\" cannot be handled as a Pod: json: cannot unmarshal string into Go struct field Pod.spec.containers of type array"
        )
        #expect(pod.decodingFailure(["spec": ["containers": .null]]) == nil)
    }
}
