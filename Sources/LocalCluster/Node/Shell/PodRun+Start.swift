import Concurrency
import ControllerRuntime
import Files
import JSON
import KubernetesClient
import KubernetesModel
import Logging
import OpenSSL

#if canImport(Glibc)
import Glibc
#endif

extension PodRun {
    // MARK: Volumes and network

    /// Makes the pod's volumes and its network, or notes why not and when to try again.
    func prepare() async {
        do {
            if attachment == nil { attachment = try await context.network.attach() }
            let address = attachment?.address ?? ""
            let sources = try await volumeSources(of: pod.volumes, address: address)
            for volume in pod.volumes { volumes[volume.name] = try await make(volume, sources) }
            try writePodFiles(address: address)
            state.address = address
            state.preparationProblem = nil
            state.nextTokenRenewal = sources.tokenRenewal.map { context.time.monotonicNow() + $0 }
            if !copiedVolumes.isEmpty { state.nextRefresh = context.time.monotonicNow() + Self.refreshInterval }
        } catch {
            let problem = "\(error)"
            state.preparationFailures += 1
            let wait = min(Duration.seconds(30), .milliseconds(500) * (1 << min(state.preparationFailures, 6)))
            state.nextPreparation = context.time.monotonicNow() + wait
            if state.preparationProblem != problem {
                let reason = error is NetworkError ? "FailedCreatePodSandBox" : "FailedMount"
                context.record(pod, .warning, reason, problem)
            }
            state.preparationProblem = problem
        }
    }

    private func make(
        _ volume: NodeVolume, _ sources: VolumePlan.Sources
    ) async throws -> VolumeLocation {
        let plan: VolumePlan
        do throws(ContainerConfigurationError) {
            plan = try VolumePlan(volume, of: pod, from: sources)
        } catch {
            throw ContainerConfigurationError("MountVolume.SetUp failed for volume \"\(volume.name)\": \(error)")
        }
        if case .image(let name, let policy) = plan {
            let image = try await context.images.resolve(name, policy: policy)
            return VolumeLocation(directory: image.directory, isReadOnly: true)
        }
        let isReadOnly: Bool
        if case .files = plan { isReadOnly = true } else { isReadOnly = volume.source["readOnly"]?.bool ?? false }
        let directory = try context.volumes.make(plan, named: volume.name, of: pod, group: pod.security.fsGroup)
        return VolumeLocation(directory: directory, isReadOnly: isReadOnly)
    }

    /// A kubelet takes up to a minute and a half until pods see what has changed in a ConfigMap or a Secret.
    private static var refreshInterval: Duration { .seconds(15) }

    /// Copies of ConfigMaps and Secrets, without those that are written anew with a token beside them.
    private var copiedVolumes: [NodeVolume] {
        pod.volumes.filter {
            let needs = VolumePlan.needs(of: $0)
            return needs.tokens.isEmpty && !(needs.configMaps.isEmpty && needs.secrets.isEmpty)
        }
    }

    /// Writes the volumes anew that are copies of objects. What cannot be had stays as it was.
    func refreshVolumes() async {
        do {
            let sources = try await volumeSources(of: copiedVolumes, address: state.address ?? "")
            for volume in copiedVolumes { _ = try await make(volume, sources) }
        } catch {
            logger.debug("the pod's volumes stay as they are", metadata: ["error": "\(error)"])
        }
        state.nextRefresh = context.time.monotonicNow() + Self.refreshInterval
    }

    /// Writes the volumes anew that have tokens in them, with all that is beside those.
    func renewTokens() async {
        let volumes = pod.volumes.filter { !VolumePlan.needs(of: $0).tokens.isEmpty }
        do {
            let sources = try await volumeSources(of: volumes, address: state.address ?? "")
            for volume in volumes { _ = try await make(volume, sources) }
            state.nextTokenRenewal = sources.tokenRenewal.map { context.time.monotonicNow() + $0 }
        } catch {
            // A fifth of the old tokens' life is left to try again in.
            logger.warning("cannot renew the pod's tokens; trying again", metadata: ["error": "\(error)"])
            state.nextTokenRenewal = context.time.monotonicNow() + .seconds(10)
        }
    }

    private func volumeSources(
        of volumes: [NodeVolume], address: String
    ) async throws -> VolumePlan.Sources {
        var needs = VolumePlan.Needs()
        for volume in volumes {
            let more = VolumePlan.needs(of: volume)
            needs.configMaps.formUnion(more.configMaps)
            needs.secrets.formUnion(more.secrets)
            needs.claims.formUnion(more.claims)
            needs.tokens.formUnion(more.tokens)
        }
        var sources = VolumePlan.Sources(
            podIP: address, hostIP: context.network.hostAddress, nodeName: context.options.name,
            allocatable: context.capacity.allocatable)
        sources.configMaps = try await fetch(.configMaps, needs.configMaps)
        sources.secrets = try await fetch(.secrets, needs.secrets)
        sources.claims = try await fetch(.persistentVolumeClaims, needs.claims)
        let names = Set(sources.claims.values.compactMap { $0["spec", "volumeName"]?.string }).filter { !$0.isEmpty }
        sources.volumes = try await fetch(.persistentVolumes, names)
        for token in needs.tokens {
            guard let issued = try await requestToken(token) else { continue }
            sources.tokens[token] = issued.text
            sources.tokenRenewal = min(sources.tokenRenewal ?? issued.renewal, issued.renewal)
        }
        return sources
    }

    /// The objects of those names that exist.
    private func fetch(_ type: ResourceType, _ names: Set<String>) async throws(KubernetesError) -> [String: JSONValue]
    {
        var found: [String: JSONValue] = [:]
        for name in names.sorted() {
            do throws(KubernetesError) {
                found[name] = try await context.client.get(
                    type, ObjectKey(namespace: type.isNamespaced ? pod.key.namespace : nil, name: name))
            } catch {
                guard error.isNotFound else { throw error }
            }
        }
        return found
    }

    private func requestToken(
        _ token: VolumePlan.Token
    ) async throws(KubernetesError) -> (text: String, renewal: Duration)? {
        var spec: JSONValue = [
            "expirationSeconds": JSONValue(token.expirationSeconds),
            "boundObjectRef": [
                "apiVersion": "v1", "kind": "Pod", "name": .string(pod.metadata.name), "uid": .string(pod.uid),
            ],
        ]
        if let audience = token.audience { spec["audiences"] = [.string(audience)] }
        let request: JSONValue = [
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
            "metadata": [
                "name": .string(pod.serviceAccountName), "namespace": .string(pod.key.namespace ?? "default"),
            ],
            "spec": spec,
        ]
        let answer = try await context.client.create(
            .serviceAccounts, request, subresource: "token", fieldManager: NodeContext.fieldManager)
        // The server may have made it shorter than was asked for.
        let seconds = answer["spec", "expirationSeconds"]?.int ?? token.expirationSeconds
        return answer["status", "token"]?.string.map { ($0, VolumePlan.Token.renewal(lifetime: seconds)) }
    }

    /// `/etc/hosts` and `/etc/resolv.conf` as the pod sees them.
    private func writePodFiles(address: String) throws(FileError) {
        let directory = context.volumes.pod(pod.uid)
        try FileSystem.makeDirectories("\(directory)/root")
        var names = [pod.hostname]
        if let subdomain = pod.subdomain {
            let domain = context.options.network.clusterDomain
            names.insert("\(pod.hostname).\(subdomain).\(pod.key.namespace ?? "default").svc.\(domain)", at: 0)
        }
        var hosts = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
        hosts += "\(address)\t\(names.joined(separator: " "))\n"
        for alias in pod.hostAliases { hosts += "\(alias.ip)\t\(alias.hostnames.joined(separator: " "))\n" }
        try FileSystem.write(hosts, to: "\(directory)/hosts")
        if let resolver = context.network.resolverFile(namespace: pod.key.namespace ?? "default") {
            try FileSystem.write(resolver, to: "\(directory)/resolv.conf")
        }
    }

    // MARK: Containers

    /// Gets the image and starts the container, or notes why not.
    func start(_ container: NodeContainer) async {
        guard let image = await pull(container) else { return }
        let known = state[container.name]
        let instance = known.terminated == nil ? known.restartCount : known.restartCount + 1
        let identity = "assay://" + sha256("\(pod.uid)/\(container.name)/\(instance)").hexadecimal
        let launch: ContainerLaunch
        do {
            launch = try await self.launch(container, image, instance: instance, identity: identity)
        } catch {
            state[container.name].imageID = image.imageID
            state[container.name].noteNotConfigured("\(error)", now: context.time.monotonicNow())
            context.record(pod, .warning, "Failed", "Error: \(error)")
            return
        }
        context.record(pod, .normal, "Created", "Created container: \(container.name)")
        let log = ContainerLogFile(context.volumes, uid: pod.uid, container: container.name, instance: instance)
        let inbox = inbox
        let name = container.name
        do throws(ProcessStartError) {
            let process = try await context.processes.start(launch, output: .log(path: log.path)) { end in
                inbox.yield(.ended(name, identity, end))
            }
            processes[name] = process
            environments[name] = launch.environment
            noteStarted(container, identity, image)
        } catch {
            state[name].imageID = image.imageID
            note(
                Termination(
                    exitCode: 128, reason: "StartError", message: error.description, finishedAt: context.wallNow,
                    containerID: identity), container)
            context.record(pod, .warning, "Failed", "Error: \(error)")
        }
    }

    private func noteStarted(_ container: NodeContainer, _ identity: String, _ image: ResolvedImage) {
        let now = context.time.monotonicNow()
        state[container.name].noteStarted(
            containerID: identity, imageID: image.imageID, at: context.wallNow, now: now)
        for (kind, probe) in container.probes {
            state[container.name].probes[kind] = ProbeHistory(firstAt: now + probe.initialDelay)
        }
        context.record(pod, .normal, "Started", "Started container \(container.name)")
    }

    private func pull(_ container: NodeContainer) async -> ResolvedImage? {
        let began = context.time.monotonicNow()
        do throws(ImageError) {
            let image = try await context.images.resolve(container.image, policy: container.pullPolicy)
            let took = (context.time.monotonicNow() - began).components
            context.record(
                pod, .normal, "Pulled",
                image.wasPulled
                    ? "Successfully pulled image \"\(container.image)\" in "
                        + "\(took.seconds * 1000 + took.attoseconds / 1_000_000_000_000_000)ms"
                    : "Container image \"\(container.image)\" already present on machine")
            return image
        } catch {
            let isRepeated = state[container.name].pullFailures > 0
            state[container.name].noteNotPulled(
                error, now: context.time.monotonicNow(), backoff: context.options.pullBackoff)
            let words = error.reason == .pull ? "F\(error.message.dropFirst())" : "Error: \(error)"
            context.record(pod, .warning, "Failed", words)
            if isRepeated, error.reason == .pull {
                state[container.name].waiting = ContainerState.Waiting(
                    reason: "ImagePullBackOff", message: "Back-off pulling image \"\(container.image)\": \(error)")
                context.record(pod, .normal, "BackOff", "Back-off pulling image \"\(container.image)\"")
            }
            return nil
        }
    }

    /// Works out everything that the container's process is to be.
    private func launch(
        _ container: NodeContainer, _ image: ResolvedImage, instance: Int, identity: String
    ) async throws -> ContainerLaunch {
        let environment = try await environment(of: container, image)
        let expand = environment.expand
        let command = container.command.map(expand) + container.arguments.map(expand)
        guard !command.isEmpty else {
            throw ContainerConfigurationError(
                "no command specified: an image here is a plain directory and names none; give the container one")
        }
        let sees = context.isolation != .none
        let root = sees ? Self.imagePath : image.directory
        var launch = ContainerLaunch(
            isolation: context.isolation, parent: getpid(), workingDirectory: container.workingDirectory ?? root,
            environment: environment.values, command: command)
        launch.root = "\(context.volumes.pod(pod.uid))/root"
        launch.hostname = pod.hostname
        launch.networkNamespace = attachment?.namespacePath
        launch.noNewPrivileges = !container.allowsPrivilegeEscalation
        launch.readOnlyRoot = container.readOnlyRoot
        try setUser(&launch, container)
        let files = TerminationMessage(context.volumes, uid: pod.uid, container: container, instance: instance)
        try prepareFiles(files.path, container, instance)
        if sees {
            launch.mounts = [ContainerLaunch.Mount(source: image.directory, target: Self.imagePath, isReadOnly: true)]
            launch.mounts += podFileMounts(termination: files.path, container)
        }
        launch.mounts += try mounts(of: container, expand)
        if !sees {
            // All pods would have to share one pod's token, so none has any.
            launch.mounts.removeAll { $0.target == Self.tokenPath }
            try await context.linkedMounts.place(launch.mounts, for: pod.uid)
            launch.mounts = []
            let message = ContainerLaunch.Mount(source: files.path, target: container.messagePath, isReadOnly: false)
            do {
                try await context.linkedMounts.redirect(message, for: pod.uid)
            } catch {
                // Without it there is no termination message, which a container can do without.
                logger.debug("no termination message can be had", metadata: ["error": "\(error)"])
            }
        }
        let group = ControlGroup(identity, context)
        launch.controlGroups = group.make(uid: pod.uid, container.name, memoryLimit: container.memoryLimit)
        return launch
    }

    /// Where the API server has the token of a pod's service account mounted.
    private static let tokenPath = "/var/run/secrets/kubernetes.io/serviceaccount"

    /// Where a container sees its image's directory.
    static let imagePath = "/image"

    private func environment(
        of container: NodeContainer, _ image: ResolvedImage
    ) async throws -> ContainerEnvironment {
        let needs = ContainerEnvironment.references(of: container)
        var sources = EnvironmentSources(
            podIP: state.address ?? "", hostIP: context.network.hostAddress, nodeName: context.options.name,
            allocatable: context.capacity.allocatable)
        sources.configMaps = try await fetch(.configMaps, needs.configMaps)
        sources.secrets = try await fetch(.secrets, needs.secrets)
        sources.services = ServiceLinks.addresses(
            of: context.services.all().map(\.json), namespace: pod.key.namespace ?? "default",
            all: pod.enableServiceLinks)
        let root = context.isolation != .none ? Self.imagePath : image.directory
        let path = "\(root)/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        let user = container.runAsUser ?? pod.security.runAsUser ?? Int(geteuid())
        return try ContainerEnvironment(
            pod, container, sources, base: ["PATH": path, "HOME": user == 0 ? "/root" : "/"])
    }

    private func setUser(_ launch: inout ContainerLaunch, _ container: NodeContainer)
        throws(ContainerConfigurationError)
    {
        let user = container.runAsUser ?? pod.security.runAsUser
        let nonRoot = container.runAsNonRoot ?? pod.security.runAsNonRoot ?? false
        if nonRoot, (user ?? Int(geteuid())) == 0 {
            throw ContainerConfigurationError(
                user == nil
                    ? "container has runAsNonRoot and image will run as root"
                    : "container's runAsUser breaks non-root policy")
        }
        // Another user could not reach the image where it cannot be mounted elsewhere.
        if context.isolation == .none { return }
        launch.user = user
        launch.group = container.runAsGroup ?? pod.security.runAsGroup
        launch.groups = pod.security.supplementalGroups + (pod.security.fsGroup.map { [$0] } ?? [])
    }

    private func prepareFiles(_ termination: String, _ container: NodeContainer, _ instance: Int) throws(FileError) {
        let directory = context.volumes.pod(pod.uid)
        try FileSystem.makeDirectories("\(directory)/containers/\(container.name)")
        try FileSystem.makeDirectories("\(directory)/logs/\(container.name)")
        // Whoever the container runs as must be able to write it.
        try FileSystem.write("", to: termination, mode: 0o666)
        if instance >= 2 {
            let old = ContainerLogFile(context.volumes, uid: pod.uid, container: container.name, instance: instance - 2)
            for path in [old.path, "\(old.path).1"] { try FileSystem.remove(path) }
        }
    }

    private func podFileMounts(termination: String, _ container: NodeContainer) -> [ContainerLaunch.Mount] {
        let directory = context.volumes.pod(pod.uid)
        var mounts = [
            ContainerLaunch.Mount(source: "\(directory)/hosts", target: "/etc/hosts", isReadOnly: false),
            ContainerLaunch.Mount(source: termination, target: container.messagePath, isReadOnly: false),
        ]
        if FileSystem.kind("\(directory)/resolv.conf") == .file {
            mounts.append(
                ContainerLaunch.Mount(
                    source: "\(directory)/resolv.conf", target: "/etc/resolv.conf", isReadOnly: false))
        }
        return mounts
    }

    private func mounts(
        of container: NodeContainer, _ expand: (String) -> String
    ) throws -> [ContainerLaunch.Mount] {
        // Outer paths first, so that a mount within a mount is seen.
        try container.mounts.sorted { $0.path < $1.path }.map { mount in
            guard let volume = volumes[mount.volume] else {
                throw ContainerConfigurationError("volumeMount \"\(mount.path)\": no volume \"\(mount.volume)\"")
            }
            var source = volume.directory
            if let part = mount.subPathExpr.map(expand) ?? mount.subPath, !part.isEmpty {
                guard !part.hasPrefix("/"), !part.split(separator: "/").contains("..") else {
                    throw ContainerConfigurationError(
                        "subPath \"\(part)\" must be relative and must not contain \"..\"")
                }
                source += "/\(part)"
                if FileSystem.kind(source) == nil {
                    try FileSystem.makeDirectories(source)
                    if let group = pod.security.fsGroup, geteuid() == 0 {
                        chown(source, uid_t.max, gid_t(clamping: group))
                        chmod(source, 0o2777)
                    }
                }
                // A link in a volume must not lead out of it.
                let real = try FileSystem.realPath(source)
                guard real.hasPrefix(try FileSystem.realPath(volume.directory) + "/") else {
                    throw ContainerConfigurationError("subPath \"\(part)\" leads out of its volume")
                }
            }
            return ContainerLaunch.Mount(
                source: try FileSystem.realPath(source), target: mount.path,
                isReadOnly: mount.isReadOnly || volume.isReadOnly)
        }
    }

    /// A command inside a container that runs, with its environment.
    func commandLaunch(_ command: [String], in process: ContainerProcess, _ name: String) -> ContainerLaunch {
        var launch = ContainerLaunch(
            isolation: context.isolation, parent: getpid(), workingDirectory: "/",
            environment: environments[name] ?? [:], command: command)
        if context.isolation != .none { launch.join = process.initProcess }
        launch.networkNamespace = context.isolation == .none ? attachment?.namespacePath : nil
        if let container = container(name) {
            launch.user = container.runAsUser ?? pod.security.runAsUser
            launch.group = container.runAsGroup ?? pod.security.runAsGroup
            launch.groups = pod.security.supplementalGroups
        }
        return launch
    }
}
