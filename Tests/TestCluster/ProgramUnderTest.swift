import FoundationEssentials
import Testing

/// The programs that stories start: the one just built, and those of the machine.
public enum ProgramUnderTest {
    /// The `assay` that was built beside the tests.
    public static let assay = built("assay")
    /// The `simulate` that was built beside the tests.
    public static let simulate = built("simulate")

    private static func built(_ name: String) -> String? {
        // The test bundle lies in the build directory: `…/debug/assayPackageTests.xctest`.
        for argument in CommandLine.arguments + [ProcessInfo.processInfo.arguments.first ?? ""] {
            var directory = URL(filePath: argument)
            while directory.path.count > 1 {
                directory = directory.deletingLastPathComponent()
                let candidate = directory.appending(path: name).path
                if FileManager.default.isExecutableFile(atPath: candidate), directory.lastPathComponent == "debug" {
                    return candidate
                }
            }
        }
        let repository = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let candidate = repository.appending(path: ".build/debug/\(name)").path
        return FileManager.default.isExecutableFile(atPath: candidate) ? candidate : nil
    }

    public static let kubectl: String? = ["/usr/local/bin/kubectl", "/usr/bin/kubectl"]
        .first { FileManager.default.isExecutableFile(atPath: $0) }

    public static let repository = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path
}
