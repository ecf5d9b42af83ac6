import ArtifactStore
import Files
import Testing

/// What an archive may try, and what is said to it. None writes anything outside its directory.
@Suite struct HostileArchiveTests {
    struct Attempt: Sendable, CustomTestStringConvertible {
        var what: String
        var bytes: [UInt8]
        var answer: String
        var limits = ArchiveLimits()
        var testDescription: String { what }

        init(_ what: String, _ bytes: [UInt8], _ answer: String, limits: ArchiveLimits = ArchiveLimits()) {
            self.what = what
            self.bytes = bytes
            self.answer = answer
            self.limits = limits
        }
    }

    private static let leaves = "leads out of the artifact's directory"
    private static let mayLead = "may lead out of the artifact's directory"
    private static let end = TarBytes.end
    /// In a directory that is everybody's, a name that is nobody's.
    private static let elsewhere = "assay-hostile-\(UInt64.random(in: .min ... .max))"
    private static let long = String(repeating: "n", count: 256)

    static let traversals = [
        Attempt("a parent", TarBytes.entry("../x") + end, leaves),
        Attempt("a parent in the middle", TarBytes.entry("a/../../x") + end, leaves),
        Attempt("a parent that stays inside", TarBytes.entry("a/../x") + end, leaves),
        Attempt("a parent at the end", TarBytes.entry("a/..", type: "5") + end, leaves),
        Attempt("the parent itself", TarBytes.entry("..", type: "5") + end, leaves),
        Attempt("an absolute path", TarBytes.entry("/tmp/\(elsewhere)") + end, leaves),
        Attempt("two slashes at the start", TarBytes.entry("//tmp/\(elsewhere)") + end, leaves),
        Attempt("an absolute prefix", TarBytes.entry(elsewhere, prefix: "/tmp") + end, leaves),
        Attempt("a parent as prefix", TarBytes.entry("x", prefix: "..") + end, leaves),
        Attempt(
            "a parent in an extended header", TarBytes.extended([("path", "../x")]) + TarBytes.entry("x") + end, leaves),
        Attempt(
            "an absolute path in an extended header",
            TarBytes.extended([("path", "/tmp/\(elsewhere)")]) + TarBytes.entry("x") + end, leaves),
        Attempt("a slash with a combining character after it", TarBytes.entry("../\u{338}x") + end, leaves),
        Attempt(
            "the last of two paths counts",
            TarBytes.extended([("path", "a"), ("path", "../x")]) + TarBytes.entry("x") + end, leaves),
        Attempt("no name", TarBytes.entry("") + end, "no name"),
        Attempt("a dot", TarBytes.entry("./x") + end, "no name"),
        Attempt("an empty name in the middle", TarBytes.entry("a//x") + end, "no name"),
        Attempt("a zero byte in a name", TarBytes.extended([("path", "a\0b")]) + TarBytes.entry("x") + end, "no name"),
        Attempt("bytes that are no text", TarBytes.entry([0x66, 0xFF, 0x66]) + end, "not UTF-8"),
        Attempt(
            "a long name", TarBytes.extended([("path", long)]) + TarBytes.entry("x") + end, "longer than 255 bytes"),
        Attempt(
            "a long path",
            TarBytes.extended([("path", [String](repeating: "directory", count: 500).joined(separator: "/"))])
                + TarBytes.entry("x") + end, "longer than 4095 bytes"),
        Attempt("an image's whiteout", TarBytes.entry("a/.wh.b") + end, "removed file"),
    ]

    static let links = [
        Attempt("a link to the parent", TarBytes.entry("l", type: "2", link: "..") + end, mayLead),
        Attempt("a link to an absolute path", TarBytes.entry("l", type: "2", link: "/etc/passwd") + end, mayLead),
        Attempt("a link up too far", TarBytes.entry("a/l", type: "2", link: "../../x") + end, mayLead),
        Attempt(
            "a link that goes up after a name", TarBytes.entry("a/b/l", type: "2", link: "c/../../x") + end, mayLead),
        Attempt("a link to nothing", TarBytes.entry("l", type: "2") + end, mayLead),
        Attempt(
            "a link up too far in an extended header",
            TarBytes.extended([("linkpath", "../x")]) + TarBytes.entry("l", type: "2", link: "a") + end, mayLead),
        Attempt(
            "a slash in a link with a combining character after it",
            TarBytes.entry("l", type: "2", link: "../\u{338}") + end, mayLead),
        Attempt(
            "a file through a link",
            TarBytes.entry("l", type: "2", link: "d") + TarBytes.entry("l/x", content: "x") + end,
            "twice"),
        Attempt(
            "a link over a directory", TarBytes.entry("d/x") + TarBytes.entry("d", type: "2", link: "e") + end, "twice"),
        Attempt("a link over a file", TarBytes.entry("x/") + TarBytes.entry("x", type: "2", link: "e") + end, "slash"),
        Attempt("a hard link", TarBytes.entry("l", type: "1", link: "/etc/passwd") + end, "hard link"),
    ]

    static let kinds = [
        Attempt("a character device", TarBytes.entry("null", type: "3") + end, "character device"),
        Attempt("a block device", TarBytes.entry("disk", type: "4") + end, "block device"),
        Attempt("a named pipe", TarBytes.entry("pipe", type: "6") + end, "named pipe"),
        Attempt("a sparse file of GNU's", TarBytes.entry("s", type: "S") + end, "sparse"),
        Attempt(
            "a sparse file in an extended header",
            TarBytes.extended([("GNU.sparse.major", "1")]) + TarBytes.entry("s") + end, "sparse"),
        Attempt("a long name of GNU's", TarBytes.entry("././@LongLink", type: "L", content: "../x") + end, "long name"),
        Attempt("a header for all", TarBytes.entry("g", type: "g", content: "12 path=/x\n") + end, "all that follows"),
        Attempt("an unknown type", TarBytes.entry("z", type: "Z") + end, "unknown type"),
        Attempt("a file twice", TarBytes.entry("x") + TarBytes.entry("x", content: "other") + end, "twice"),
        Attempt("a file that is a directory", TarBytes.entry("d/x") + TarBytes.entry("d") + end, "twice"),
        Attempt("a file in a file", TarBytes.entry("f") + TarBytes.entry("f/x") + end, "no directory"),
        Attempt(
            "a directory over a file", TarBytes.entry("f") + TarBytes.entry("f/d", type: "5") + end, "no directory"),
        Attempt("a directory with content", TarBytes.entry("d", type: "5", content: "x") + end, "has a content"),
    ]

    static let bombs = [
        Attempt(
            "more entries than may be", TarBytes.entry("a") + TarBytes.entry("b") + TarBytes.entry("c") + end,
            "more than 2 entries", limits: ArchiveLimits(entries: 2)),
        Attempt(
            "more bytes than may be",
            TarBytes.entry("a", content: "12345") + TarBytes.entry("b", content: "67890") + end,
            "more than 9 bytes", limits: ArchiveLimits(bytes: 9)),
        Attempt(
            "a size that no disk has", TarBytes.extended([("size", "9223372036854775807")]) + TarBytes.entry("a") + end,
            "more than"),
        Attempt(
            "a size that no number has",
            TarBytes.extended([("size", "99999999999999999999")]) + TarBytes.entry("a") + end, "cannot be read"),
        Attempt("a negative size", TarBytes.extended([("size", "-1")]) + TarBytes.entry("a") + end, "cannot be read"),
        Attempt("an endless extended header", TarBytes.entry("x", type: "x", size: 1 << 20), "extended header of"),
        Attempt("an empty extended header", TarBytes.entry("x", type: "x") + end, "extended header of 0"),
        Attempt("a length that lies", TarBytes.entry("x", type: "x", content: "99 path=a\n") + end, "cannot be read"),
        Attempt(
            "a record without an end", TarBytes.entry("x", type: "x", content: "9 path=ab") + end, "cannot be read"),
        Attempt(
            "one extended header after the other",
            TarBytes.extended([("path", "a")]) + TarBytes.extended([("path", "b")]) + TarBytes.entry("c") + end,
            "extends another"),
        Attempt(
            "nothing after an extended header", TarBytes.extended([("path", "a")]) + end, "after an extended header"),
    ]

    static let broken = [
        Attempt("no archive", [UInt8](repeating: 65, count: 512) + end, "not that of a tar archive"),
        Attempt("nothing", [], "cut off"),
        Attempt("no end", TarBytes.entry("x", content: "x"), "cut off"),
        Attempt("half an end", TarBytes.entry("x") + end.prefix(512), "cut off"),
        Attempt("cut off in a header", Array(TarBytes.entry("x").prefix(300)), "cut off"),
        Attempt("cut off in a file", Array(TarBytes.entry("x", content: "12345").prefix(514)), "cut off"),
        Attempt("one bit of a header has turned", flipped(TarBytes.entry("x") + end, at: 3), "checksum"),
        Attempt("a size that is no number", TarBytes.entry("x", mode: "zzzzzzz") + end, "not octal"),
        Attempt(
            "something in the padding", flipped(TarBytes.entry("x", content: "y") + end, at: 700), "between two entries"
        ),
        Attempt("a file after the end", end + TarBytes.entry("x") + end, "after its end"),
    ]

    private static func flipped(_ bytes: [UInt8], at index: Int) -> [UInt8] {
        var bytes = bytes
        bytes[index] ^= 1
        return bytes
    }

    @Test(arguments: traversals + links + kinds + bombs + broken)
    func isRefusedAndLeavesNothingOutside(_ attempt: Attempt) throws {
        let directory = try ScratchDirectory()
        let (inside, outside) = (directory.path + "/in", directory.path + "/x")
        try FileSystem.makeDirectories(inside)
        do throws(ArchiveError) {
            try ArchiveTests.extract(attempt.bytes, to: inside, limits: attempt.limits)
            Issue.record("it was taken")
        } catch {
            #expect("\(error)".contains(attempt.answer), "\(error)")
            #expect("\(error)".utf8.allSatisfy { $0 >= 32 })
        }
        #expect(FileSystem.kind(outside, followingLinks: false) == nil)
        #expect(try FileSystem.entries(directory.path) == ["in"])
        #expect(FileSystem.kind("/tmp/\(Self.elsewhere)", followingLinks: false) == nil)
    }

    @Test func thereAreAtLeastForty() {
        #expect(
            Self.traversals.count + Self.links.count + Self.kinds.count + Self.bombs.count + Self.broken.count >= 40)
    }
}
