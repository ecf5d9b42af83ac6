import ArgumentParser
import ArtifactStore
import AssayCore
import Files
import JSON
import YAML

/// `assay artifact …`
struct ArtifactCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "artifact",
        abstract: "Puts directories into stores as artifacts, and gets them back, bit for bit.",
        subcommands: [
            Push.self, Pull.self, Copy.self, List.self, Check.self, FetchCommand.self, SealCommand.self,
            ResolveCommand.self, RecordCommand.self, ImportCommand.self, RemoveCommand.self, CollectCommand.self,
            ForgetCommand.self, OverlapCommand.self,
        ]
    )

    struct Push: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Keeps a directory as an artifact and prints its name.",
            discussion: "Equal content has an equal name, whoever owns the files and however old they are.")

        @Argument(help: "The directory.") var directory: String
        @Argument(
            help: "The store, and a tag for the artifact: file:///srv/models:wine", transform: ArtifactReference.init)
        var target: ArtifactReference
        @OptionGroup var access: StoreAccess

        mutating func run() async throws {
            let tag = try tagToGive(target)
            let manifest = try await access.store(target.place).seal(
                try absolute(directory), tag: tag, TransferProgress("stored").add)
            print(ArtifactReference(target.place, .digest(manifest.digest)))
        }
    }

    struct Pull: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Unpacks an artifact into a directory that is empty or not there.",
            discussion: "Where something does not have the digest that it should have, the directory is left empty.")

        @Argument(
            help: "The artifact: file:///srv/models:wine or oci://registry.local/wine@sha256:…",
            transform: ArtifactReference.init)
        var artifact: ArtifactReference
        @Argument(help: "The directory.") var directory: String
        @OptionGroup var access: StoreAccess

        mutating func run() async throws {
            let store = try access.store(artifact.place)
            let digest = try await artifact.resolve(in: store)
            try await store.fetch(digest, to: try absolute(directory), TransferProgress("fetched").add)
            print(ArtifactReference(artifact.place, .digest(digest)))
        }
    }

    struct Copy: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Keeps an artifact in another store too, under the same digest, and prints its name there.")

        @Argument(help: "The artifact.", transform: ArtifactReference.init) var artifact: ArtifactReference
        @Argument(
            help: "The other store, and a tag for the artifact: oci://registry.local/wine:best",
            transform: ArtifactReference.init)
        var target: ArtifactReference
        @OptionGroup var access: StoreAccess

        mutating func run() async throws {
            let tag = try tagToGive(target)
            let source = try access.store(artifact.place)
            let digest = try await artifact.resolve(in: source)
            _ = try await access.store(target.place).copy(
                digest, from: source, tag: tag, TransferProgress("copied").add)
            print(ArtifactReference(target.place, .digest(digest)))
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "ls", abstract: "Lists the tags of a store, each with its artifact's digest and size in bytes."
        )

        @Argument(help: "The store: file:///srv/models", transform: ArtifactReference.init)
        var store: ArtifactReference
        @OptionGroup var access: StoreAccess

        mutating func run() async throws {
            let place = try access.store(store.place)
            for tag in try await place.tags() {
                let digest = try await place.resolve(tag)
                print("\(tag)\t\(digest)\t\(try await place.manifest(digest).size)")
            }
        }
    }

    struct Check: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Reads an artifact, or all that have a tag, and fails where one is broken.",
            discussion: "With --expect it also tells where the records in one are not as they should be.")

        @Argument(
            help: "The store or the artifact: file:///srv/models, file:///srv/models@sha256:…",
            transform: ArtifactReference.init)
        var artifact: ArtifactReference
        @Option(
            help: ArgumentHelp(
                "What the records are to be like, in YAML or JSON, as an entry of a step's `expectations`.",
                valueName: "file"))
        var expect: String?
        @OptionGroup var access: StoreAccess

        func validate() throws {
            guard expect == nil || artifact.name != nil else { throw ValidationError("--expect: name one artifact") }
        }

        mutating func run() async throws {
            let store = try access.store(artifact.place)
            guard artifact.name == nil else {
                try await check(artifact, in: store)
                if let expect { try await hold(artifact, in: store, against: try expectation(in: expect)) }
                return
            }
            var failed = 0
            for tag in try await store.tags() {
                let one = ArtifactReference(artifact.place, .tag(tag))
                do {
                    try await check(one, in: store)
                } catch {
                    failed += 1
                    print("\(one): \(error)")
                }
            }
            if failed > 0 { throw ExitCode.failure }
        }

        private func expectation(in path: String) throws -> DataExpectation {
            let text = String(decoding: try FileSystem.contents(path), as: UTF8.self)
            let documents = try JSONValue.documents(yaml: text)
            guard let only = documents.first, documents.count == 1 else {
                throw ValidationError("\(path): must be one document")
            }
            var expectation = only
            expectation["output"] = expectation["output"] ?? "artifact"
            let result = try DataExpectation(json: JSONCursor(expectation))
            let problems = result.problems(at: path)
            guard problems.isEmpty else { throw ValidationError(problems.map(\.description).joined(separator: "\n")) }
            return result
        }

        private func hold(
            _ one: ArtifactReference, in store: any BlobStore, against expectation: DataExpectation
        ) async throws {
            let directory = try TemporaryPlace()
            defer { directory.remove() }
            try await store.fetch(one.resolve(in: store), to: directory.path + "/artifact")
            do { try DataCheck.check(directory.path + "/artifact", expectation) } catch let error as UnexpectedData {
                for problem in error.problems { print(problem) }
                throw ExitCode.failure
            }
            print("\(one): its records are as expected")
        }

        private func check(_ one: ArtifactReference, in store: any BlobStore) async throws {
            let manifest = try await store.check(one.resolve(in: store))
            print("\(one): \(manifest.size) bytes, as \(manifest.digest) says")
        }
    }
}

private func tagToGive(_ target: ArtifactReference) throws -> String? {
    switch target.name {
    case nil: return nil
    case .tag(let tag): return tag
    case .digest: throw ValidationError("a digest is what is printed; give a tag or none")
    }
}
