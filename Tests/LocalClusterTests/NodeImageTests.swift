import CLinux
import Files
import Glibc
import Testing

@testable import LocalCluster

@Suite struct NodeImageTests {
    @Test func aDigestDependsOnContentAndNotOnTimesOrOrder() throws {
        let first = try TemporaryDirectory()
        try first.fill(["b.txt": "two", "a/x.sh": "echo", "c": ""], executable: ["a/x.sh"])
        symlink("b.txt", "\(first.path)/link")
        let second = try TemporaryDirectory()
        symlink("b.txt", "\(second.path)/link")
        try second.fill(["c": "", "a/x.sh": "echo", "b.txt": "two"], executable: ["a/x.sh"])
        let old = [timespec(tv_sec: 1, tv_nsec: 0), timespec(tv_sec: 1, tv_nsec: 0)]
        utimensat(AT_FDCWD, "\(second.path)/c", old, 0)
        let digest = try ImageTree.digest(first.path)
        #expect(try ImageTree.digest(second.path) == digest)

        chmod("\(second.path)/b.txt", 0o755)
        let executable = try ImageTree.digest(second.path)
        #expect(executable != digest)
        chmod("\(second.path)/b.txt", 0o600)
        #expect(try ImageTree.digest(second.path) == digest)
        try second.fill(["b.txt": "tow"])
        #expect(try ImageTree.digest(second.path) != digest)
    }

    @Test func aCopyHasTheDigestAndTheTimesOfItsSource() throws {
        let source = try TemporaryDirectory()
        try source.fill(["lib/m.py": "x = 1"])
        let old = [timespec(tv_sec: 86_400, tv_nsec: 5), timespec(tv_sec: 86_400, tv_nsec: 5)]
        utimensat(AT_FDCWD, "\(source.path)/lib/m.py", old, 0)
        let target = try TemporaryDirectory()
        let digest = try ImageTree.copy(source.path, to: "\(target.path)/copy")
        #expect(try ImageTree.digest(source.path) == digest)
        #expect(try ImageTree.digest("\(target.path)/copy") == digest)
        var status = stat()
        stat("\(target.path)/copy/lib/m.py", &status)
        #expect(status.st_mtim.tv_sec == 86_400 && status.st_mtim.tv_nsec == 5)
    }

    @Test func aChangedDirectoryIsANewImageAndTheOldOneStays() async throws {
        let source = try TemporaryDirectory()
        let data = try TemporaryDirectory()
        try source.fill(["v": "1"])
        let store = try ImageStore(images: ["reg.local/app:1": source.path], dataDirectory: data.path)
        let first = try await store.resolve("reg.local/app:1", policy: nil)
        try source.fill(["v": "2"])
        // IfNotPresent, the default of a tag: what it meant last.
        #expect(try await store.resolve("reg.local/app:1", policy: nil).imageID == first.imageID)
        let second = try await store.resolve("reg.local/app:1", policy: .always)
        #expect(second.imageID != first.imageID)
        #expect(try await store.resolve(first.imageID, policy: .always).directory == first.directory)
        #expect(FileSystem.text("\(first.directory)/v") == "1")
        #expect(FileSystem.text("\(second.directory)/v") == "2")
        // The next process knows what the tag meant.
        let again = try ImageStore(images: ["reg.local/app:1": source.path], dataDirectory: data.path)
        try source.fill(["v": "3"])
        #expect(try await again.resolve("reg.local/app:1", policy: .ifNotPresent).imageID == second.imageID)
    }

    @Test(arguments: [
        ("other:1", nil, ImageError.Reason.pull, "not found: this node knows app:1"),
        ("app:1", ImagePullPolicy.never, .neverPull, "not present with pull policy of Never"),
        ("app@sha256:" + String(repeating: "0", count: 64), nil, .pull, "no image of that name has this digest"),
        ("app@sha256:12", nil, .invalidName, "couldn't parse image name"),
        ("", nil, .invalidName, "couldn't parse image name"),
    ])
    func anImageThatCannotBeHadSaysWhy(
        _ name: String, _ policy: ImagePullPolicy?, _ reason: ImageError.Reason, _ words: String
    ) async throws {
        let source = try TemporaryDirectory()
        let data = try TemporaryDirectory()
        let store = try ImageStore(images: ["app:1": source.path], dataDirectory: data.path)
        let error = try await #require(throws: ImageError.self) { () async throws in
            _ = try await store.resolve(name, policy: policy)
        }
        #expect(error.reason == reason)
        #expect(error.message.contains(words))
    }

    @Test(arguments: [
        ("wine", "wine", "latest"), ("reg:5000/wine", "reg:5000/wine", "latest"),
        ("reg:5000/a/wine:1.0", "reg:5000/a/wine", "1.0"),
    ])
    func aReferenceIsReadAsRegistriesReadIt(_ text: String, _ repository: String, _ tag: String) throws {
        let reference = try #require(ImageReference(text))
        #expect(reference.repository == repository)
        #expect(reference.tag == tag)
    }
}
