import CLinux
import Files
import FoundationEssentials
import Glibc
import OpenSSL
import Subprocess
import Testing

@testable import ArtifactStore

@Suite struct ArchiveTests {
    /// All bytes of an archive of the directory, read through a buffer of so many bytes.
    static func pack(_ directory: String, buffer size: Int = 1 << 16) throws(ArchiveError) -> [UInt8] {
        var stream = try ArchivePacker(directory).stream()
        var result: [UInt8] = []
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 1)
        defer { buffer.deallocate() }
        while true {
            let count = try stream.read(into: buffer)
            result += buffer[..<count]
            guard count == size else { return result }
        }
    }

    static func extract(
        _ bytes: [UInt8], to directory: String, pieces: Int = 1 << 16, limits: ArchiveLimits = ArchiveLimits()
    ) throws(ArchiveError) {
        var extractor = try ArchiveExtractor(directory)
        var reader = ArchiveReader(limits: limits)
        var rest = bytes[...]
        while !rest.isEmpty {
            let piece = Array(rest.prefix(pieces))
            rest = rest.dropFirst(pieces)
            var failure: ArchiveError?
            piece.withUnsafeBytes { input in
                do throws(ArchiveError) {
                    try reader.read(input) { (piece) throws(ArchiveError) in try extractor.take(piece) }
                } catch {
                    failure = error
                }
            }
            if let failure { throw failure }
        }
        try reader.finish()
        try extractor.finish()
    }

    private static let longName = String(repeating: "long-", count: 40)

    /// A tree with everything that an artifact may have.
    private func makeTree(_ directory: String, reversed: Bool = false) throws {
        let acts: [() throws -> Void] = [
            { try FileSystem.write("weights", to: directory + "/model.bin") },
            { try FileSystem.write("", to: directory + "/empty") },
            { try FileSystem.write("#!/bin/sh\n", to: directory + "/run", mode: 0o755) },
            { try FileSystem.write([UInt8](repeating: 7, count: 512), to: directory + "/a/b/block") },
            { try FileSystem.write([UInt8](repeating: 8, count: 100_000), to: directory + "/a/b/c/large") },
            { try FileSystem.write("ä", to: directory + "/größe.txt") },
            { try FileSystem.write("long", to: directory + "/" + Self.longName) },
            { symlink("../model.bin", directory + "/a/link") },
            { symlink("b/c", directory + "/a/\(Self.longName)") },
        ]
        for path in reversed ? ["/nothing", "/a/b/c"] : ["/a/b/c", "/nothing"] {
            try FileSystem.makeDirectories(directory + path)
        }
        for act in reversed ? acts.reversed() : acts { try act() }
    }

    private func listing(_ directory: String) throws -> [String] {
        try ArchivePacker(directory).entries.map { entry in
            let content =
                entry.size > 0 ? sha256(try FileSystem.contents("\(directory)/\(entry.path)")).hexadecimal : ""
            return "\(entry.path) \(entry.kind) \(content)"
        }
    }

    @Test func whatIsPackedComesOutTheSame() throws {
        let directory = try ScratchDirectory()
        let (source, target) = (directory.path + "/source", directory.path + "/target")
        try makeTree(source)
        try FileSystem.makeDirectories(target)
        try Self.extract(try Self.pack(source), to: target)
        let expected = try listing(source)
        #expect(expected.count == 13)
        #expect(try listing(target) == expected)
        #expect(try FileSystem.linkTarget(target + "/a/link") == "../model.bin")
        #expect(try FileSystem.status(target + "/run").st_mode & 0o7777 == 0o755)
        #expect(try FileSystem.status(target + "/model.bin").st_mode & 0o7777 == 0o644)
    }

    @Test func equalContentGivesEqualBytes() throws {
        let directory = try ScratchDirectory()
        let (one, other) = (directory.path + "/one", directory.path + "/other")
        try makeTree(one)
        try makeTree(other, reversed: true)
        chmod(other + "/model.bin", 0o600)
        chmod(other + "/a", 0o700)
        let times = [timespec(tv_sec: 1_000_000, tv_nsec: 1), timespec(tv_sec: 1_000_000, tv_nsec: 1)]
        utimensat(AT_FDCWD, other + "/empty", times, 0)
        if geteuid() == 0 { chown(other + "/empty", 1234, 1234) }
        let bytes = try Self.pack(one)
        #expect(try Self.pack(other) == bytes)
        #expect(try Self.pack(other, buffer: 1) == bytes)
        #expect(try Self.pack(other, buffer: 511) == bytes)
        #expect(ArchiveStream.size(of: try ArchivePacker(one).entries[...]) == bytes.count)
        // The format is part of every digest ever given: it may not change unnoticed.
        #expect(sha256(bytes).hexadecimal == "9318f6f1d545e9fb864e2a7f9b43d4a83e25986ec2a644d1ae23a522a5af008b")
    }

    @Test(arguments: [1, 7, 511, 512, 513, 4096]) func piecesOfAnySizeAreTheSame(_ pieces: Int) throws {
        let directory = try ScratchDirectory()
        let (source, target) = (directory.path + "/source", directory.path + "/target")
        try makeTree(source)
        try FileSystem.makeDirectories(target)
        try Self.extract(try Self.pack(source), to: target, pieces: pieces)
        #expect(try listing(target) == listing(source))
    }

    @Test func tarReadsWhatIsPackedAndIsRead() async throws {
        let directory = try ScratchDirectory()
        let names = ["source", "byTar", "back"]
        let paths = names.map { directory.path + "/" + $0 }
        try makeTree(paths[0])
        try FileSystem.makeDirectories(paths[1])
        try FileSystem.makeDirectories(paths[2])
        try FileSystem.write(try Self.pack(paths[0]), to: directory.path + "/ours.tar")
        try await tar("-xf", directory.path + "/ours.tar", "-C", paths[1])
        #expect(try listing(paths[1]) == listing(paths[0]))
        try await tar(
            "--format=pax", "-cf", directory.path + "/theirs.tar", "-C", paths[0], "--transform=s,^\\./,,S",
            "--exclude=./", "--no-recursion", "-T", try list(paths[0], to: directory.path + "/list"))
        try Self.extract(try FileSystem.contents(directory.path + "/theirs.tar"), to: paths[2])
        #expect(try listing(paths[2]) == listing(paths[0]))
    }

    private func list(_ directory: String, to path: String) throws -> String {
        let names = try ArchivePacker(directory).entries.map(\.path.text).joined(separator: "\n")
        try FileSystem.write(names + "\n", to: path)
        return path
    }

    private func tar(_ arguments: String...) async throws {
        let result = try await run(
            .name("tar"), arguments: Arguments(arguments), output: .string(limit: 10000), error: .string(limit: 10000))
        #expect(result.terminationStatus.isSuccess, "\(result.standardError)")
    }

    @Test(arguments: [
        ("a pipe", "is a named pipe"), ("a socket", "a socket"), ("a way out", "may lead out"),
        ("a whiteout", "removed file"), ("no text", "not UTF-8"),
    ]) func whatNoArtifactMayHaveIsNamed(_ what: String, _ answer: String) throws {
        let directory = try ScratchDirectory()
        let path = directory.path + "/sub"
        try FileSystem.makeDirectories(path)
        switch what {
        case "a pipe": mkfifo(path + "/p", 0o600)
        case "a socket": mknod(path + "/s", S_IFSOCK | 0o600, 0)
        case "a way out": symlink("/etc/passwd", path + "/l")
        case "a whiteout": try FileSystem.write("", to: path + "/.wh.x")
        default:
            let name = Array((path + "/f").utf8CString.dropLast()) + [-1, 0]
            let file = open(name, O_CREAT | O_WRONLY, 0o600)
            #expect(file >= 0)
            close(file)
        }
        do throws(ArchiveError) {
            _ = try Self.pack(directory.path)
            Issue.record("it was packed")
        } catch {
            #expect("\(error)".contains(answer) && "\(error)".hasPrefix("sub/"), "\(error)")
        }
    }

    @Test func aFileThatChangesWhileItIsReadIsNoArtifact() throws {
        let directory = try ScratchDirectory()
        try FileSystem.write("12345", to: directory.path + "/x")
        var stream = try ArchivePacker(directory.path).stream()
        try FileSystem.write("123", to: directory.path + "/x")
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 1)
        defer { buffer.deallocate() }
        do throws(ArchiveError) {
            _ = try stream.read(into: buffer)
            Issue.record("it was read")
        } catch {
            #expect("\(error)" == "x: changed while it was read, from 5 bytes to 3")
        }
    }

    /// As root, who may read everything, only the words can be looked at.
    @Test func whatMayNotBeReadIsNamedWithItsOwner() throws {
        let directory = try ScratchDirectory()
        let path = directory.path + "/secret"
        try FileSystem.write("x", to: path, mode: 0o000)
        let denied = ArchiveError(unreadable: FileError("open", path, EACCES))
        #expect("\(denied)" == "open \(path): Permission denied (mode 0000, owner \(geteuid()), group \(getegid()))")
        guard geteuid() != 0 else { return }
        #expect(throws: denied) { try Self.pack(directory.path) }
    }
}
