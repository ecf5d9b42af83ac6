import AssayCore
import JSON
import KubernetesModel
import Testing

@Suite struct PodCheckTests {
    struct Case: Sendable, CustomTestStringConvertible {
        /// What is merged into a pod that satisfies the restricted level.
        var pod: String
        /// The fields that are refused, under `spec.template.`.
        var fields: [String]
        var level: PodSecurityLevel
        var testDescription: String { "\(level) \(pod)" }

        init(_ level: PodSecurityLevel, _ pod: String, _ fields: String...) {
            self.level = level
            self.pod = pod
            self.fields = fields
        }
    }

    private static let restrictedPod = #"""
        {"spec": {
            "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{"name": "a", "image": "a", "securityContext": {
                "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}}}]}}
        """#

    private static func container(_ security: String) -> String {
        #"{"spec":{"containers":[{"name":"a","image":"a","securityContext":\#(security)}]}}"#
    }

    private static let ok = #""allowPrivilegeEscalation":false,"capabilities":{"drop":["ALL"]}"#

    static let cases: [Case] = [
        .init(.restricted, "{}"),
        // Refused at every level.
        .init(.privileged, #"{"spec":{"hostNetwork":true}}"#, "spec.hostNetwork"),
        .init(.privileged, #"{"spec":{"hostPID":true,"hostIPC":true}}"#, "spec.hostPID", "spec.hostIPC"),
        .init(.privileged, #"{"spec":{"hostNetwork":false}}"#),
        .init(.privileged, #"{"spec":{"nodeName":"n1"}}"#, "spec.nodeName"),
        .init(
            .privileged, #"{"spec":{"volumes":[{"name":"e","emptyDir":{}},{"name":"v","hostPath":{"path":"/"}}]}}"#,
            "spec.volumes[1].hostPath"),
        .init(.privileged, container(#"{"privileged":true}"#), "spec.containers[0].securityContext.privileged"),
        .init(.privileged, #"{"spec":{"serviceAccountName":"default"}}"#),
        .init(.privileged, #"{"spec":{"serviceAccountName":"admin"}}"#, "spec.serviceAccountName"),
        .init(.privileged, #"{"spec":{"serviceAccount":"admin"}}"#, "spec.serviceAccount"),
        .init(.privileged, #"{"spec":{"serviceAccountName":"trainer"}}"#),
        .init(
            .privileged,
            #"{"spec":{"initContainers":[{"name":"i","securityContext":{"privileged":true}}]}}"#,
            "spec.initContainers[0].securityContext.privileged"),
        // Baseline.
        .init(
            .baseline, container(#"{"capabilities":{"add":["CHOWN","SYS_ADMIN"]}}"#),
            "spec.containers[0].securityContext.capabilities.add[1]"),
        .init(.privileged, container(#"{"capabilities":{"add":["SYS_ADMIN"]}}"#)),
        .init(
            .baseline, #"{"spec":{"containers":[{"name":"a","ports":[{"containerPort":1},{"hostPort":80}]}]}}"#,
            "spec.containers[0].ports[1].hostPort"),
        .init(
            .baseline, #"{"spec":{"containers":[{"name":"a","readinessProbe":{"httpGet":{"host":"1.2.3.4"}}}]}}"#,
            "spec.containers[0].readinessProbe.httpGet.host"),
        .init(
            .baseline,
            #"{"spec":{"containers":[{"name":"a","lifecycle":{"preStop":{"tcpSocket":{"host":"x","port":1}}}}]}}"#,
            "spec.containers[0].lifecycle.preStop.tcpSocket.host"),
        .init(
            .baseline, #"{"spec":{"securityContext":{"seccompProfile":{"type":"Unconfined"}}}}"#,
            "spec.securityContext.seccompProfile.type"),
        .init(
            .baseline, container(#"{"appArmorProfile":{"type":"Unconfined"}}"#),
            "spec.containers[0].securityContext.appArmorProfile.type"),
        .init(
            .baseline,
            #"{"metadata":{"annotations":{"container.apparmor.security.beta.kubernetes.io/a":"unconfined"}}}"#,
            "metadata.annotations[container.apparmor.security.beta.kubernetes.io/a]"),
        .init(
            .baseline,
            #"{"metadata":{"annotations":{"container.apparmor.security.beta.kubernetes.io/a":"runtime/default"}}}"#),
        .init(
            .baseline, #"{"spec":{"securityContext":{"seLinuxOptions":{"type":"spc_t","user":"u","role":"r"}}}}"#,
            "spec.securityContext.seLinuxOptions.type", "spec.securityContext.seLinuxOptions.user",
            "spec.securityContext.seLinuxOptions.role"),
        .init(.baseline, #"{"spec":{"securityContext":{"seLinuxOptions":{"type":"container_t"}}}}"#),
        .init(
            .baseline, #"{"spec":{"securityContext":{"sysctls":[{"name":"kernel.msgmax","value":"1"}]}}}"#,
            "spec.securityContext.sysctls[0].name"),
        .init(
            .baseline, #"{"spec":{"securityContext":{"sysctls":[{"name":"net.ipv4.tcp_syncookies","value":"1"}]}}}"#),
        .init(
            .baseline, container(#"{"procMount":"Unmasked"}"#), "spec.containers[0].securityContext.procMount"),
        .init(
            .baseline, #"{"spec":{"securityContext":{"windowsOptions":{"hostProcess":true}}}}"#,
            "spec.securityContext.windowsOptions.hostProcess"),
        // Restricted.
        .init(
            .restricted, #"{"spec":{"volumes":[{"name":"n","nfs":{"server":"s"}},{"name":"s","secret":{}}]}}"#,
            "spec.volumes[0].nfs"),
        .init(.baseline, #"{"spec":{"volumes":[{"name":"n","nfs":{"server":"s"}}]}}"#),
        .init(
            .restricted, container(#"{"capabilities":{"drop":["ALL"]}}"#),
            "spec.containers[0].securityContext.allowPrivilegeEscalation"),
        .init(
            .restricted, container(#"{"allowPrivilegeEscalation":false}"#),
            "spec.containers[0].securityContext.capabilities.drop"),
        .init(
            .restricted,
            container(
                #"{"allowPrivilegeEscalation":false,"capabilities":{"drop":["ALL"],"add":["NET_BIND_SERVICE"]}}"#)),
        .init(
            .restricted,
            container(#"{"allowPrivilegeEscalation":false,"capabilities":{"drop":["ALL"],"add":["CHOWN"]}}"#),
            "spec.containers[0].securityContext.capabilities.add[0]"),
        .init(
            .restricted, #"{"spec":{"securityContext":{"runAsNonRoot":null}}}"#,
            "spec.containers[0].securityContext.runAsNonRoot"),
        .init(
            .restricted, container("{\"runAsNonRoot\":false,\(ok)}"),
            "spec.containers[0].securityContext.runAsNonRoot"),
        .init(.restricted, container("{\"runAsUser\":0,\(ok)}"), "spec.containers[0].securityContext.runAsUser"),
        .init(
            .restricted, #"{"spec":{"securityContext":{"seccompProfile":null}}}"#,
            "spec.containers[0].securityContext.seccompProfile.type"),
        .init(.baseline, #"{"spec":{"securityContext":null}}"#),
        .init(.restricted, #"{"spec":{"securityContext":{"seccompProfile":null},"os":{"name":"windows"}}}"#),
    ]

    @Test(arguments: cases)
    func refusesExactly(_ example: Case) throws {
        let pod = try Sample.json(Self.restrictedPod).merging(patch: try Sample.json(example.pod))
        let account = try ServiceAccountObservation(
            json: ["metadata": ["name": "trainer", "annotations": ["assay.dev/allow-use": "true"]]])
        let policy = PodPolicy(operatorLevel: example.level, serviceAccounts: ["trainer": account])
        let problems = PodCheck.problems(in: pod, at: "spec.template", policy: policy)
        #expect(problems.map(\.path) == example.fields.map { "spec.template.\($0)" })
    }

    @Test(arguments: [
        (nil, PodSecurityLevel.baseline, PodSecurityLevel.baseline), ("privileged", .baseline, .baseline),
        ("restricted", .baseline, .restricted), ("baseline", .restricted, .restricted),
        ("strict", .baseline, .restricted), ("baseline", .privileged, .baseline),
    ])
    func theStricterLevelCounts(label: String?, ofOperator: PodSecurityLevel, level: PodSecurityLevel) throws {
        var json: JSONValue = ["metadata": ["name": "ml"]]
        if let label { json["metadata", "labels"] = ["pod-security.kubernetes.io/enforce": .string(label)] }
        let policy = PodPolicy(operatorLevel: ofOperator, namespace: try NamespaceObservation(json: json))
        #expect(policy.level == level)
    }

    @Test func aRefusedPodIsNeverMade() throws {
        var world = World()
        try world.create(
            .trainingJobs,
            try Sample.trainingJob {
                $0["spec", "template", "spec", "volumes"] = [["name": "v", "hostPath": ["path": "/"]]]
            })
        try world.settle()
        #expect(world.all(.jobs).isEmpty)
        let stalled = world.condition("Stalled", of: .trainingJobs)
        #expect(stalled?["reason"] == "PodRefused")
        #expect(stalled?["message"]?.string?.hasPrefix("spec.template.spec.volumes[0].hostPath: ") == true)
        try world.create(
            .mlModels,
            try Sample.model {
                $0["spec", "serving", "template", "spec", "hostNetwork"] = true
                $0["spec", "training", "template", "spec", "template", "spec", "nodeName"] = "n"
            })
        try world.settle()
        let message = world.condition("Stalled")?["message"]?.string ?? ""
        #expect(message.hasPrefix("spec.training.template.spec.template.spec.nodeName: "), "\(message)")
        #expect(message.contains("spec.serving.template.spec.hostNetwork: "), "\(message)")
        #expect(world.all(.trainingJobs).count == 1)
    }
}
