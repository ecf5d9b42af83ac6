import ArgumentParser
import ArtifactStore
import AssayCore
import Concurrency
import CredentialPlugins
import CurlTransport
import KubernetesClient
import KubernetesModel
import OpenSSL

/// `assay artifact rm …`
struct RemoveCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rm", abstract: "Removes artifacts, and what nobody else's are made of.",
        discussion: """
            By a digest all tags of the artifact go too; by a tag the artifact goes with its last tag. The record of a step's \
            result goes before what it tells of. In a registry, blobs are removed by its own garbage collection.
            """)

    @Argument(
        help: "The artifacts, of one store: file:///srv/models:wine, oci://registry.local/wine@sha256:…",
        transform: ArtifactReference.init)
    var artifacts: [ArtifactReference]
    @Option(
        help: ArgumentHelp("Leave the artifacts that were kept, or kept again, then or later.", valueName: "time"),
        transform: Self.time)
    var keptBefore: Timestamp?
    @OptionGroup var age: RemovalAge
    @OptionGroup var access: StoreAccess

    private static func time(_ text: String) throws -> Timestamp {
        guard let time = Timestamp(text) else { throw ValidationError("must be like 2026-11-22T21:36:08Z") }
        return time
    }

    func validate() throws {
        guard Set(artifacts.map(\.place)).count == 1 else {
            throw ValidationError("name artifacts of one store at a time")
        }
        for artifact in artifacts where artifact.name == nil {
            throw ValidationError("\(artifact) names no artifact; add :TAG or @sha256:…")
        }
    }

    mutating func run() async throws {
        guard let place = artifacts.first?.place else { return }
        let store = try access.store(place, rights: .remove)
        var digests: Set<Digest> = []
        var tags: Set<String> = []
        for artifact in artifacts {
            switch artifact.name {
            case .digest(let digest): digests.insert(digest)
            case .tag(let tag):
                // One that is not there is a mistake, while a digest may have been removed by whoever was here before.
                _ = try await store.resolve(tag)
                tags.insert(tag)
            case nil: break
            }
        }
        let inventory = try await store.inventory(digests)
        let limit = age.limit
        let removal = inventory.removal(
            of: digests, tags: tags, unlessSince: keptBefore, blobsUnlessSince: limit, .ofSteps)
        try await removal.carryOut(in: store, inventory, keptBefore, limit, isDry: age.dryRun)
    }
}

/// `assay artifact gc …`
struct CollectCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gc", abstract: "Removes from a store what no MLModel and no TrainingJob refers to.",
        discussion: """
            Kept is every artifact whose digest stands anywhere in one of them, in all namespaces of all clusters that are \
            named; what somebody has given a tag; and what was kept, or found for reuse, within --older-than. Where a cluster \
            cannot be read, nothing is removed. A registry tells no times: there --older-than 0 is needed, while nothing is \
            trained.
            """)

    @Argument(help: "The store: file:///srv/models", transform: ArtifactReference.init) var store: ArtifactReference
    @Option(help: "A kubeconfig file; as of kubectl unless given.") var kubeconfig: String?
    @Option(
        name: .customLong("context"), parsing: .singleValue,
        help: "A context of the kubeconfig, as often as clusters use the store; its current one unless given.")
    var contexts: [String] = []
    @Option(help: "The only namespace that uses the store. All unless given.") var namespace: String?
    @Option(
        name: .customLong("keep"), parsing: .singleValue,
        help: ArgumentHelp("An artifact that is kept in any case.", valueName: "digest"), transform: Self.digest)
    var kept: [Digest] = []
    @OptionGroup var age: RemovalAge
    @OptionGroup var access: StoreAccess

    private static func digest(_ text: String) throws -> Digest {
        guard let digest = Digest(text) else { throw ValidationError("must be sha256: and 64 hexadecimal digits") }
        return digest
    }

    func validate() throws {
        guard store.name == nil else { throw ValidationError("name a store without an artifact; rm removes one") }
    }

    mutating func run() async throws {
        let place = try access.store(store.place, rights: .remove)
        let limit = age.limit
        // Before the clusters: what is found here and referred to later is seen there, or was touched.
        let inventory = try await place.inventory()
        var kept = Set(self.kept)
        for context in contexts.isEmpty ? [nil] : contexts.map(Optional.some) {
            kept.formUnion(try await references(context))
        }
        let removal = inventory.garbage(keeping: kept, unlessSince: limit, .ofSteps)
        try await removal.carryOut(in: place, inventory, limit, limit, isDry: age.dryRun)
        if !age.dryRun {
            let count = try await place.abandonUploads(unlessSince: limit)
            if count > 0 { print("\(count) uploads that came to no end are given up") }
        }
        if inventory.blobs == nil, !removal.young.isEmpty {
            print("the registry does not tell how old they are; --older-than 0 removes them")
        }
    }

    private func references(_ context: String?) async throws -> Set<Digest> {
        let cluster = try ClientConfiguration.discover(
            kubeconfig: kubeconfig, context: context, trust: KubeconfigTrust(plugins: SubprocessPluginRunner()))
        let transport = try CurlTransport(cluster.transport)
        defer { transport.shutdown() }
        let client = KubernetesClient(transport: transport, credentials: cluster.credentials)
        var result: Set<Digest> = []
        for type in [ResourceType.mlModels, .trainingJobs] {
            for object in try await client.listAll(type, namespace: namespace).items {
                result.formUnion(ArtifactReferences.digests(in: object))
            }
        }
        return result
    }
}

/// What removes the artifacts of runs that a model has forgotten, in a pod of its own.
struct ForgetCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "forget", abstract: "Removes what a model needs no more, in a pod of its own.",
        discussion:
            "What is not there any more is as good as removed. An artifact with a tag that somebody has given stays.",
        shouldDisplay: false)

    @Option(help: "The store, without a name in it.", transform: ArtifactReference.init) var store: ArtifactReference
    @Option(
        name: .customLong("artifact"), parsing: .singleValue,
        help: ArgumentHelp(
            "An artifact, and since when it stays if somebody else has kept or found it.", valueName: "digest[=time]"),
        transform: ForgottenArtifact.init)
    var artifacts: [ForgottenArtifact]
    @OptionGroup var access: StoreAccess

    mutating func run() async throws {
        let command = self
        try await endingAsStep { try await command.forget() }
    }

    private func forget() async throws {
        let place = try access.store(store.place, rights: .remove)
        for (time, group) in Dictionary(grouping: artifacts, by: \.keptBefore) {
            let digests = Set(group.map(\.digest))
            let inventory = try await place.inventory(digests)
            let removal = inventory.withdrawal(of: digests, unlessSince: time, .ofSteps)
            try await removal.carryOut(in: place, inventory, time, time, isDry: false)
        }
    }
}

struct ForgottenArtifact: Sendable {
    var digest: Digest
    /// Nil where it goes whenever it was kept.
    var keptBefore: Timestamp?

    init(_ text: String) throws {
        let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
        guard let digest = parts.first.flatMap(Digest.init) else {
            throw ValidationError("\(text): must begin with sha256: and 64 hexadecimal digits")
        }
        self.digest = digest
        guard parts.count == 2 else { return }
        guard let time = Timestamp(parts[1]) else {
            throw ValidationError("\(text): must end with a time as 2026-11-22T21:36:08Z")
        }
        keptBefore = time
    }
}

/// What both have in common.
struct RemovalAge: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "How long ago something must have been kept to be removed as belonging to nothing: longer than any seal takes.",
            valueName: "duration"), transform: Self.seconds)
    var olderThan: Double = 86_400

    @Flag(help: "Only say what would be removed.") var dryRun = false

    private static func seconds(_ text: String) throws -> Double {
        guard let seconds = text == "0" ? 0 : DurationText.seconds(text), seconds <= 1e9 else {
            throw ValidationError("must be 0 or a duration as 90s or 24h")
        }
        return seconds
    }

    /// What was kept then or later stays; nil where nothing does.
    var limit: Timestamp? {
        guard olderThan > 0 else { return nil }
        return Timestamp(sinceEpoch: SystemTime().wallNow()) + .seconds(-olderThan)
    }
}

extension ResultTags {
    fileprivate static let ofSteps = ResultTags { StepKey.key(ofTag: $0) }
}

extension Removal {
    fileprivate func carryOut(
        in store: any BlobStore, _ inventory: StoreInventory, _ time: Timestamp?,
        _ blobTime: Timestamp?, isDry: Bool
    ) async throws {
        func tell(_ artifact: Artifact) {
            let tags = artifact.tags.isEmpty ? "" : " (\(artifact.tags.joined(separator: ", ")))"
            print("\(isDry ? "would remove" : "removed") \(artifact.digest)\(tags), \(artifact.size) bytes")
        }
        for digest in young { print("left \(digest), which was kept too lately") }
        guard !isDry else {
            artifacts.forEach(tell)
            print("\(blobs.reduce(0) { $0 + $1.size }) bytes of blobs would be free")
            return
        }
        let freed = try await store.carryOut(self, of: inventory, unlessSince: time, blobsUnlessSince: blobTime, tell)
        print(
            inventory.blobs == nil
                ? "the registry frees what they took up by its own garbage collection" : "\(freed) bytes are free")
    }
}
