import Concurrency
import ControllerRuntime
import Files
import Glibc
import JSON
import KubernetesClient
import KubernetesModel
import Logging
import Testing

@testable import LocalCluster

/// Runs pods as real processes against an API server that only notes.
private struct Bench {
    let data: TemporaryDirectory
    let image: TemporaryDirectory
    let api: RecordingAPI
    let context: NodeContext

    /// The `assay` program beside the test bundle.
    static var executable: String? {
        guard let own = FileSystem.text("/proc/self/cmdline")?.split(separator: "\0").first else { return nil }
        let places = [own] + CommandLine.arguments.map { Substring($0) }
        for place in places {
            guard let slash = place.lastIndex(of: "/") else { continue }
            let path = "\(place[..<slash])/assay"
            if FileSystem.kind(path) == .file { return path }
        }
        return nil
    }

    /// - Parameter body: gets the bench; every process is gone when it returns.
    static func run(
        objects: [String: JSONValue] = [:], mode: NodeNetworkOptions.Mode = .host,
        isolation forced: ContainerLaunch.Isolation? = nil,
        backoff: RestartBackoff = RestartBackoff(base: .milliseconds(50)),
        _ body: (Bench) async throws -> Void
    ) async throws {
        let executable = try #require(Self.executable, "the assay program is not built beside the tests")
        let (data, image) = (try TemporaryDirectory(), try TemporaryDirectory())
        try image.fill(
            ["bin/tool": "#!/bin/sh\necho tool-$1\n", "data.txt": "from the image"], executable: ["bin/tool"])
        var options = NodeOptions(name: "n1", dataDirectory: data.path, executable: executable)
        options.images = ["app:1": image.path]
        options.restartBackoff = backoff
        options.pullBackoff = backoff
        options.network.mode = mode
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let api = RecordingAPI(objects)
        let client = KubernetesClient(transport: api)
        let processes = try ProcessThread(executable: executable, time: options.time)
        let (isolation, _) = await IsolationProbe(options: options, processes: processes).find()
        let network = try await NodeNetwork.open(options.network, logger: logger)
        let context = NodeContext(
            options: options, client: client,
            images: try ImageStore(images: options.images, dataDirectory: data.path), processes: processes,
            isolation: forced ?? isolation, linkedMounts: LinkedMounts(dataDirectory: data.path), network: network,
            services: Store(),
            events: EventRecorder(client: client, controller: "assay.dev/node", instance: "n1", logger: logger),
            logger: logger, capacity: .current())
        let result: Result<Void, any Error>
        do {
            result = .success(try await body(Bench(data: data, image: image, api: api, context: context)))
        } catch {
            result = .failure(error)
        }
        await processes.stop()
        await network.close()
        try result.get()
    }

    /// Runs a pod until its status satisfies `done`; returns that status.
    func play(
        _ spec: JSONValue, name: String = "p", uid: String = "uid-1",
        steps: @escaping @Sendable (AsyncStream<PodWorker.Event>.Continuation, JSONValue) throws -> Void = { _, _ in },
        until done: @escaping @Sendable (JSONValue) -> Bool
    ) async throws -> JSONValue {
        let worker = PodWorker(context, uid: uid)
        let pod = try Pods.pod(spec, name: name, uid: uid)
        let api = api
        return try await withThrowingTaskGroup(of: JSONValue?.self) { group in
            group.addTask {
                await worker.run(pod)
                return nil
            }
            group.addTask {
                var seen = 0
                for _ in 0..<3000 {
                    let statuses = api.statuses
                    for status in statuses[seen...] {
                        try steps(worker.inbox, status)
                        if done(status) { return status }
                    }
                    seen = statuses.count
                    try await Task.sleep(for: .milliseconds(10))
                }
                throw ContainerConfigurationError("not in 30 s; last: \(api.statuses.last ?? [:])")
            }
            var result: JSONValue?
            while let value = try await group.next() {
                if let value {
                    result = value
                    group.cancelAll()
                }
            }
            return try #require(result)
        }
    }

    func log(_ uid: String = "uid-1", _ container: String = "main", _ instance: Int = 0) -> String {
        ContainerLogFile(context.volumes, uid: uid, container: container, instance: instance)
            .lastText(bytes: 1 << 20, lines: 1000)
    }
}

private func ended(_ status: JSONValue) -> Bool { ["Succeeded", "Failed"].contains(status["phase"]?.string) }
private func terminated(_ status: JSONValue) -> JSONValue {
    status["containerStatuses"]?[0]?["state", "terminated"] ?? [:]
}

private func shell(_ script: String, _ more: JSONValue = [:]) -> JSONValue {
    var container = Pods.container("main", more)
    container["command"] = ["/bin/sh", "-c", .string(script)]
    return container
}

@Suite(.serialized) struct NodeProcessTests {
    @Test func aContainerRunsInItsImageWithItsEnvironmentAndIsLogged() async throws {
        try await Bench.run { bench in
            let status = try await bench.play(
                [
                    "restartPolicy": "Never",
                    "containers": [
                        Pods.container(
                            "main",
                            [
                                "command": ["tool", "$(WHO)"], "env": [["name": "WHO", "value": "me"]],
                            ])
                    ],
                ], until: ended)
            #expect(status["phase"] == "Succeeded")
            #expect(terminated(status)["reason"] == "Completed")
            #expect(status["containerStatuses"]?[0]?["imageID"]?.string?.hasPrefix("app@sha256:") == true)
            #expect(bench.log() == "tool-me\n")
        }
    }

    @Test(arguments: [
        ("exit 3", 3, "Error"), ("kill -TERM $$$$", 143, "Error"), ("kill -KILL $$$$", 137, "Error"),
        ("exit 0", 0, "Completed"),
    ])
    func howItEndsIsInTheStatus(_ script: String, _ code: Int, _ reason: String) async throws {
        try await Bench.run { bench in
            let status = try await bench.play(["restartPolicy": "Never", "containers": [shell(script)]], until: ended)
            #expect(terminated(status)["exitCode"]?.int == code)
            #expect(terminated(status)["reason"]?.string == reason)
        }
    }

    @Test(arguments: [
        (["no-such-program"], "exec: \"no-such-program\": executable file not found in $PATH"),
        (["/no/such"], "exec: \"/no/such\": stat /no/such: no such file or directory"),
        (["/etc/passwd"], "exec: \"/etc/passwd\": permission denied"),
    ])
    func aCommandThatCannotRunSaysWhy(_ command: [String], _ message: String) async throws {
        try await Bench.run { bench in
            let status = try await bench.play(
                [
                    "restartPolicy": "Never",
                    "containers": [Pods.container("main", ["command": JSONValue(command)])],
                ], until: ended)
            #expect(status["phase"] == "Failed")
            #expect(terminated(status)["exitCode"] == 128)
            #expect(terminated(status)["reason"] == "StartError")
            #expect(terminated(status)["message"]?.string == message)
        }
    }

    @Test func anUnknownImageIsErrImagePullAndThenBackOff() async throws {
        try await Bench.run { bench in
            var container = shell("true")
            container["image"] = "nobody:1"
            let status = try await bench.play(["containers": [container]]) { status in
                status["containerStatuses"]?[0]?["state", "waiting", "reason"] == "ImagePullBackOff"
            }
            #expect(status["phase"] == "Pending")
            let first = bench.api.statuses.first {
                $0["containerStatuses"]?[0]?["state", "waiting", "reason"] == "ErrImagePull"
            }
            let message = first?["containerStatuses"]?[0]?["state", "waiting", "message"]?.string ?? ""
            #expect(message.contains("failed to pull image \"nobody:1\""))
        }
    }

    @Test func aFailingContainerIsStartedAgain() async throws {
        try await Bench.run { bench in
            let status = try await bench.play(["containers": [shell("echo run; exit 1")]]) { status in
                status["containerStatuses"]?[0]?["restartCount"]?.int == 3
            }
            #expect(status["containerStatuses"]?[0]?["lastState", "terminated", "exitCode"] == 1)
            #expect(
                bench.api.statuses.contains {
                    $0["containerStatuses"]?[0]?["state", "waiting", "reason"] == "CrashLoopBackOff"
                })
        }
    }

    @Test func initContainersHandFilesOverInVolumes() async throws {
        try await Bench.run(objects: [
            "/api/v1/namespaces/ml/configmaps/c": ["data": ["key": "value"]],
            "/api/v1/namespaces/ml/persistentvolumeclaims/models": ["metadata": ["name": "models"]],
        ]) { bench in
            guard bench.context.isolation != .none else {
                print("skipped: this system lets nobody make mount namespaces")
                return
            }
            let paths = ["/dev/termination-log", "/work-dir", "/config", "/models", "/host-untouched"]
            let before = paths.map { FileSystem.kind($0) }
            var initial = shell("echo handed > /work-dir/x; cp /config/key /work-dir/y; echo kept > /models/m")
            initial["name"] = "first"
            let mounts: JSONValue = [
                ["name": "w", "mountPath": "/work-dir"], ["name": "c", "mountPath": "/config"],
                ["name": "m", "mountPath": "/models"],
            ]
            initial["volumeMounts"] = mounts
            let main = shell(
                "cat /work-dir/x /work-dir/y /models/m; touch /config/z 2>/dev/null || echo read-only; "
                    + "test -e /host-untouched || touch /host-untouched; pwd; cat data.txt",
                ["volumeMounts": mounts])
            let status = try await bench.play(
                [
                    "restartPolicy": "Never", "initContainers": [initial], "containers": [main],
                    "volumes": [
                        ["name": "w", "emptyDir": [:]], ["name": "c", "configMap": ["name": "c"]],
                        ["name": "m", "persistentVolumeClaim": ["claimName": "models"]],
                    ],
                ], until: ended)
            #expect(status["phase"] == "Succeeded")
            #expect(bench.log() == "handed\nvaluekept\nread-only\n/image\nfrom the image\n")
            #expect(FileSystem.text("\(bench.data.path)/volumes/ml/models/m") == "kept\n")
            #expect(paths.map { FileSystem.kind($0) } == before)
        }
    }

    @Test func theTerminationMessageIsTheFileOrTheEndOfTheLog() async throws {
        try await Bench.run { bench in
            guard bench.context.isolation != .none else {
                print("skipped: this system lets nobody make mount namespaces")
                return
            }
            let written = try await bench.play(
                ["restartPolicy": "Never", "containers": [shell("printf '{\"a\":1}' > /dev/termination-log")]],
                uid: "a", until: ended)
            #expect(terminated(written)["message"] == "{\"a\":1}")
        }
        try await Bench.run { bench in
            let fallback = try await bench.play(
                [
                    "restartPolicy": "Never",
                    "containers": [
                        shell(
                            "for i in $(seq 100); do echo line $i; done; exit 1",
                            ["terminationMessagePolicy": "FallbackToLogsOnError"])
                    ],
                ], until: ended)
            let message = terminated(fallback)["message"]?.string ?? ""
            #expect(message.hasPrefix("line 21\n") && message.hasSuffix("line 100\n"))
        }
    }

    @Test func withoutNamespacesVolumesAreLinksThatGoWithThePod() async throws {
        try await Bench.run(isolation: ContainerLaunch.Isolation.none) { bench in
            let path = "\(bench.data.path)-mount/inner"
            let spec: JSONValue = [
                "restartPolicy": "Never",
                "containers": [
                    shell(
                        "echo x > \(path)/x; cat data.txt; printf said > \(path)-message",
                        [
                            "volumeMounts": [["name": "w", "mountPath": .string(path)]],
                            "terminationMessagePath": .string("\(path)-message"),
                        ])
                ], "volumes": [["name": "w", "emptyDir": [:]]],
            ]
            let status = try await bench.play(spec, until: ended)
            #expect(status["phase"] == "Succeeded")
            #expect(terminated(status)["message"] == "said")
            #expect(bench.log() == "from the image\n")
            #expect(FileSystem.text("\(bench.context.volumes.pod("uid-1"))/volumes/w/x") == "x\n")
            #expect(FileSystem.kind(path, followingLinks: false) == nil)
            try FileSystem.remove("\(bench.data.path)-mount")
        }
    }

    @Test func deletionStopsTheContainerAndEverythingItStarted() async throws {
        try await Bench.run { bench in
            let script = "trap 'echo asked; exit 0' TERM; sleep 987 & echo up; while true; do sleep 0.05; done"
            let worker = PodWorker(bench.context, uid: "uid-1")
            let spec: JSONValue = ["containers": [shell(script)]]
            let pod = try Pods.pod(spec)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { await worker.run(pod) }
                while !bench.log().contains("up") { try await Task.sleep(for: .milliseconds(10)) }
                worker.inbox.yield(
                    .updated(
                        try Pods.pod(
                            spec,
                            metadata: ["deletionTimestamp": "2026-01-01T00:00:00Z", "deletionGracePeriodSeconds": 20])))
                try await group.waitForAll()
            }
            #expect(bench.api.requests.last == "DELETE /api/v1/namespaces/ml/pods/p")
            let last = try #require(bench.api.statuses.last)
            #expect(terminated(last)["exitCode"] == 0)
            #expect(FileSystem.kind(bench.context.volumes.pod("uid-1")) == nil)
        }
    }

    @Test func readinessComesFromAProbeThatIsMade() async throws {
        try await Bench.run { bench in
            let probe: JSONValue = ["exec": ["command": ["test", "-e", "/tmp/node-test-ready"]], "periodSeconds": 1]
            guard bench.context.isolation != .none else { return }
            let status = try await bench.play([
                "containers": [
                    shell("sleep 0.3; touch /tmp/node-test-ready; sleep 100", ["readinessProbe": probe])
                ]
            ]) { status in
                status["containerStatuses"]?[0]?["ready"] == true
            }
            #expect(status["phase"] == "Running")
            #expect(FileSystem.kind("/tmp/node-test-ready") == nil)
        }
    }

    @Test func aContainerOverItsMemoryLimitIsOOMKilled() async throws {
        try await Bench.run { bench in
            let group = ControlGroup("probe", bench.context)
            let files = group.make(uid: "x", "y", memoryLimit: 64 << 20)
            group.remove()
            guard !files.isEmpty else {
                print("skipped: no memory control group may be made here")
                return
            }
            let status = try await bench.play(
                [
                    "restartPolicy": "Never",
                    "containers": [
                        shell(
                            "x=0123456789; while true; do x=$x$x; done",
                            ["resources": ["limits": ["memory": "64Mi"]]])
                    ],
                ], until: ended)
            #expect(terminated(status)["reason"] == "OOMKilled")
            #expect(terminated(status)["exitCode"] == 137)
        }
    }

    @Test func eachPodHasAnAddressOfItsOwn() async throws {
        guard geteuid() == 0 else {
            print("skipped: only root may make network namespaces")
            return
        }
        do {
            try await Bench.run(mode: .bridge) { bench in
                let status = try await bench.play(
                    [
                        "restartPolicy": "Never",
                        "containers": [shell("hostname -i; cat /etc/resolv.conf; ls /sys/class/net")],
                    ], until: ended)
                let address = status["podIP"]?.string ?? ""
                #expect(address.hasPrefix("10.244."))
                #expect(bench.log().contains(address))
                #expect(bench.log().contains("search ml.svc.cluster.local svc.cluster.local cluster.local"))
            }
        } catch let error as NetworkError {
            print("skipped: no bridge may be made here: \(error)")
        }
    }

    @Test func aPodReachesAnotherByItsServicesName() async throws {
        guard geteuid() == 0, FileSystem.kind("/usr/bin/python3") != nil else {
            print("skipped: needs root and python3")
            return
        }
        do {
            try await Bench.run(mode: .bridge) { bench in
                let range = bench.context.network.serviceAddresses
                let address = range.prefix { $0 != "/" }.split(separator: ".").prefix(3).joined(separator: ".") + ".77"
                let (services, endpoints) = (bench.context.services, EndpointSource())
                let proxy = ServiceProxy(
                    services: services, endpoints: endpoints, network: bench.context.network, domain: "cluster.local",
                    logger: bench.context.logger)
                let server = PodWorker(bench.context, uid: "server")
                let pod = try Pods.pod(
                    ["containers": [shell("exec /usr/bin/python3 -m http.server 8080 --directory /image")]],
                    name: "server", uid: "server")
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { await proxy.run() }
                    group.addTask { await server.run(pod) }
                    while bench.api.statuses.last?["podIP"] == nil { try await Task.sleep(for: .milliseconds(10)) }
                    let podAddress = bench.api.statuses.last?["podIP"] ?? ""
                    services.beginList()
                    _ = services.stage([
                        [
                            "metadata": ["name": "web", "namespace": "ml", "uid": "s", "resourceVersion": "1"],
                            "spec": ["clusterIP": .string(address), "ports": [["port": 80]]],
                        ]
                    ])
                    services.finishList(resourceVersion: "1")
                    endpoints.store.beginList()
                    _ = endpoints.store.stage([
                        [
                            "metadata": [
                                "name": "web-1", "namespace": "ml", "uid": "e", "resourceVersion": "1",
                                "labels": ["kubernetes.io/service-name": "web"],
                            ], "addressType": "IPv4", "ports": [["port": 8080]],
                            "endpoints": [["addresses": [podAddress], "conditions": ["ready": true]]],
                        ]
                    ])
                    endpoints.store.finishList(resourceVersion: "1")
                    let script = """
                        import time, urllib.request
                        for attempt in range(100):
                            try:
                                print(urllib.request.urlopen('http://web/data.txt').read().decode()); break
                            except OSError as error: time.sleep(0.1)
                        """
                    _ = try await bench.play(
                        [
                            "restartPolicy": "Never",
                            "containers": [
                                Pods.container("main", ["command": ["/usr/bin/python3", "-c", .string(script)]])
                            ],
                        ], name: "client", uid: "client", until: ended)
                    group.cancelAll()
                }
                #expect(bench.log("client") == "from the image\n")
            }
        } catch let error as NetworkError {
            print("skipped: no bridge may be made here: \(error)")
        }
    }
}
