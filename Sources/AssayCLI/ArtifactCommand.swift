import ArgumentParser
import ArtifactStore
import FoundationEssentials

/// `assay artifact …`
struct ArtifactCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "artifact",
        abstract: "Puts directories into stores as artifacts, and gets them back, bit for bit.",
        subcommands: [Push.self, Pull.self, List.self, Check.self]
    )

    struct Push: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Keeps a directory as an artifact and prints its name.",
            discussion: "Equal content has an equal name, whoever owns the files and however old they are.")

        @Argument(help: "The directory.") var directory: String
        @Argument(
            help: "The store, and a tag for the artifact: file:///srv/models:wine", transform: ArtifactReference.init)
        var target: ArtifactReference

        mutating func run() throws {
            if case .digest = target.name {
                throw ValidationError("a digest is what `push` prints; give a tag or none")
            }
            let manifest = try target.store.seal(try absolute(directory))
            if case .tag(let tag) = target.name { try target.store.tag(manifest.digest, as: tag) }
            print(ArtifactReference(path: target.path, name: .digest(manifest.digest)))
        }
    }

    struct Pull: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Unpacks an artifact into a directory that is empty or not there.",
            discussion: "Where something does not have the digest that it should have, the directory is left empty.")

        @Argument(
            help: "The artifact: file:///srv/models:wine or file:///srv/models@sha256:…",
            transform: ArtifactReference.init)
        var artifact: ArtifactReference
        @Argument(help: "The directory.") var directory: String

        mutating func run() throws {
            let digest = try artifact.resolve()
            try artifact.store.fetch(digest, to: try absolute(directory))
            print(ArtifactReference(path: artifact.path, name: .digest(digest)))
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "ls", abstract: "Lists the tags of a store, each with its artifact's digest and size in bytes."
        )

        @Argument(help: "The store: file:///srv/models", transform: ArtifactReference.init)
        var store: ArtifactReference

        mutating func run() throws {
            for tag in try store.store.tags() {
                let digest = try store.store.resolve(tag)
                print("\(tag)\t\(digest)\t\(try store.store.manifest(digest).size)")
            }
        }
    }

    struct Check: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Reads an artifact, or all that have a tag, and fails where one is broken.")

        @Argument(
            help: "The store or the artifact: file:///srv/models, file:///srv/models@sha256:…",
            transform: ArtifactReference.init)
        var artifact: ArtifactReference

        mutating func run() throws {
            guard artifact.name == nil else {
                try check(artifact)
                return
            }
            var failed = 0
            for tag in try artifact.store.tags() {
                let one = ArtifactReference(path: artifact.path, name: .tag(tag))
                do {
                    try check(one)
                } catch {
                    failed += 1
                    print("\(one): \(error)")
                }
            }
            if failed > 0 { throw ExitCode.failure }
        }

        private func check(_ one: ArtifactReference) throws {
            let manifest = try one.store.check(one.resolve())
            print("\(one): \(manifest.size) bytes, as \(manifest.digest) says")
        }
    }
}
