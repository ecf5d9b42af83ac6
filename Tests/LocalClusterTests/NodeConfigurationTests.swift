import JSON
import KubernetesModel
import Testing

@testable import LocalCluster

@Suite struct NodeConfigurationTests {
    /// From the tests of Kubernetes' own expansion.
    @Test(arguments: [
        ("$(VAR_A)", "A"), ("___$(VAR_B)___", "___B___"), ("$$(VAR_A)", "$(VAR_A)"), ("$$$(VAR_A)", "$A"),
        ("$(VAR_A)$(VAR_B)", "AB"), ("$(MISSING)", "$(MISSING)"), ("$VAR_A", "$VAR_A"), ("$", "$"), ("$$", "$"),
        ("$(VAR_A", "$(VAR_A"), ("a$$b", "a$b"), ("$(EMPTY)x", "x"), ("", ""),
    ])
    func variablesExpand(_ text: String, _ expected: String) {
        let values = ["VAR_A": "A", "VAR_B": "B", "EMPTY": ""]
        #expect(expandVariables(text) { values[$0] } == expected)
    }

    private func environment(_ container: JSONValue, _ sources: EnvironmentSources? = nil) throws -> [String: String] {
        let pod = try Pods.pod(
            ["containers": [container], "serviceAccountName": "trainer"],
            metadata: ["labels": ["app": "wine"], "annotations": ["a": "b\"c"]])
        return try ContainerEnvironment(
            pod, pod.containers[0], sources ?? EnvironmentSources(podIP: "10.0.0.2", hostIP: "10.0.0.1", nodeName: "n1")
        ).values
    }

    @Test func theEnvironmentIsBuiltInKubernetesOrder() throws {
        var sources = EnvironmentSources(podIP: "10.0.0.2", hostIP: "10.0.0.1", nodeName: "n1")
        sources.configMaps = ["c": ["data": ["A": "from-map", "B": "b"]]]
        sources.secrets = ["s": ["data": ["password": "c2VjcmV0"]]]
        sources.services = [.init(name: "my-svc", address: "10.96.0.7", ports: [("http", 80, "TCP")])]
        let values = try environment(
            Pods.container(
                "main",
                [
                    "resources": ["limits": ["memory": "1536Mi"]],
                    "envFrom": [["configMapRef": ["name": "c"]], ["prefix": "S_", "secretRef": ["name": "s"]]],
                    "env": [
                        ["name": "A", "value": "own"], ["name": "C", "value": "$(A)-$(B)-$(NO)"],
                        ["name": "NAME", "valueFrom": ["fieldRef": ["fieldPath": "metadata.name"]]],
                        ["name": "APP", "valueFrom": ["fieldRef": ["fieldPath": "metadata.labels['app']"]]],
                        ["name": "IP", "valueFrom": ["fieldRef": ["fieldPath": "status.podIP"]]],
                        [
                            "name": "MEM",
                            "valueFrom": ["resourceFieldRef": ["resource": "limits.memory", "divisor": "1Gi"]],
                        ],
                        ["name": "PW", "valueFrom": ["secretKeyRef": ["name": "s", "key": "password"]]],
                        ["name": "GONE", "valueFrom": ["secretKeyRef": ["name": "s", "key": "x", "optional": true]]],
                    ],
                ]), sources)
        let expected = [
            "A": "own", "B": "b", "C": "own-b-$(NO)", "NAME": "p", "APP": "wine", "IP": "10.0.0.2", "MEM": "2",
            "PW": "secret", "S_password": "secret", "HOSTNAME": "p", "MY_SVC_SERVICE_HOST": "10.96.0.7",
            "MY_SVC_SERVICE_PORT": "80", "MY_SVC_SERVICE_PORT_HTTP": "80",
        ]
        for (name, value) in expected { #expect(values[name] == value, "\(name)") }
        #expect(values["GONE"] == nil)
    }

    @Test(
        arguments: [
            (["secretKeyRef": ["name": "s", "key": "k"]], "secret \"s\" not found"),
            (["configMapKeyRef": ["name": "c", "key": "k"]], "couldn't find key k in ConfigMap ml/c"),
            (["fieldRef": ["fieldPath": "status.nothing"]], "unsupported fieldPath: status.nothing"),
        ] as [(JSONValue, String)])
    func aReferenceThatLeadsNowhereIsNamed(_ source: JSONValue, _ words: String) throws {
        var sources = EnvironmentSources(podIP: "", hostIP: "", nodeName: "n1")
        sources.configMaps = ["c": ["data": [:]]]
        let error = #expect(throws: ContainerConfigurationError.self) {
            _ = try environment(Pods.container("m", ["env": [["name": "X", "valueFrom": source]]]), sources)
        }
        #expect(error?.description == words)
    }

    private func plan(_ volume: JSONValue, _ sources: VolumePlan.Sources) throws -> VolumePlan {
        let pod = try Pods.pod(["containers": [Pods.container()], "volumes": [volume]])
        return try VolumePlan(pod.volumes[0], of: pod, from: sources)
    }

    @Test func volumesHoldTheirItemsWithTheirModes() throws {
        var sources = VolumePlan.Sources(podIP: "10.0.0.2", nodeName: "n1")
        sources.configMaps = ["c": ["data": ["a": "1", "b": "2"]]]
        sources.secrets = ["s": ["data": ["k": "eA=="]]]
        sources.tokens = [VolumePlan.Token(audience: nil, expirationSeconds: 3600): "tok"]
        let all = try plan(["name": "v", "configMap": ["name": "c"]], sources)
        #expect(
            all == .files([.init(path: "a", bytes: [0x31], mode: 0o644), .init(path: "b", bytes: [0x32], mode: 0o644)]))
        let some = try plan(
            [
                "name": "v",
                "configMap": [
                    "name": "c", "defaultMode": 0o600, "items": [["key": "b", "path": "d/b.txt", "mode": 0o755]],
                ],
            ], sources)
        #expect(some == .files([.init(path: "d/b.txt", bytes: [0x32], mode: 0o755)]))
        let projected = try plan(
            [
                "name": "v",
                "projected": [
                    "sources": [
                        ["secret": ["name": "s"]], ["serviceAccountToken": ["path": "token"]],
                        ["downwardAPI": ["items": [["path": "n", "fieldRef": ["fieldPath": "metadata.name"]]]]],
                    ]
                ],
            ], sources)
        #expect(
            projected
                == .files([
                    .init(path: "k", bytes: Array("x".utf8), mode: 0o644),
                    .init(path: "token", bytes: Array("tok".utf8), mode: 0o644),
                    .init(path: "n", bytes: Array("p".utf8), mode: 0o644),
                ]))
        #expect(try plan(["name": "v"], sources) == .empty)
    }

    @Test func aClaimIsTheDirectoryOfItsVolume() throws {
        let volume: JSONValue = ["name": "v", "persistentVolumeClaim": ["claimName": "models"]]
        var sources = VolumePlan.Sources()
        sources.claims = ["models": ["spec": [:]]]
        #expect(try plan(volume, sources) == .claim("models", path: nil))
        sources.claims = ["models": ["spec": ["volumeName": "pv"]]]
        sources.volumes = ["pv": ["spec": ["hostPath": ["path": "/data/pv"]]]]
        #expect(try plan(volume, sources) == .claim("models", path: "/data/pv"))
        sources.volumes = ["pv": ["spec": ["csi": ["driver": "x"]]]]
        let error = #expect(throws: ContainerConfigurationError.self) { _ = try plan(volume, sources) }
        #expect(error?.description.contains("is no directory of this node") == true)
    }

    @Test(
        arguments: [
            (["name": "v", "hostPath": ["path": "/etc"]], "is a hostPath, which this node refuses"),
            (["name": "v", "nfs": ["server": "x"]], "of the kind nfs, which this node does not support"),
            (["name": "v", "secret": ["secretName": "no"]], "secret \"no\" not found"),
            (["name": "v", "persistentVolumeClaim": ["claimName": "no"]], "persistentvolumeclaim \"no\" not found"),
            (
                ["name": "v", "configMap": ["name": "c", "items": [["key": "a", "path": "../a"]]]],
                "must be relative and must not contain \"..\""
            ),
        ] as [(JSONValue, String)])
    func aVolumeThatCannotBeMadeSaysWhy(_ volume: JSONValue, _ words: String) throws {
        var sources = VolumePlan.Sources()
        sources.configMaps = ["c": ["data": ["a": "1"]]]
        let error = #expect(throws: ContainerConfigurationError.self) { _ = try plan(volume, sources) }
        #expect(error?.description.contains(words) == true)
    }
}
