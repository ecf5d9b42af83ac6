import AssayCore
import Files

/// An artifact is not what was expected of it.
struct UnexpectedData: Error, CustomStringConvertible {
    var problems: [String]

    /// The first ones, as a pod's status has room for some words.
    var description: String {
        let shown = problems.prefix(3).joined(separator: "; ")
        return problems.count > 3 ? "\(shown); and \(problems.count - 3) more" : shown
    }
}

extension DataCheck {
    /// Reads what is in a directory, piece by piece.
    /// - Throws: `UnexpectedData`, or `FileError` where something cannot be read.
    static func check(_ directory: String, _ expectation: DataExpectation) throws {
        var check = DataCheck(expectation)
        try check.readFiles(in: directory, below: "")
        guard check.problems.isEmpty else { throw UnexpectedData(problems: check.problems) }
    }

    /// Links are not followed: what they lead to is not in the artifact.
    private mutating func readFiles(in directory: String, below prefix: String) throws(FileError) {
        for name in try FileSystem.entries(directory) {
            let path = "\(directory)/\(name)"
            switch FileSystem.kind(path, followingLinks: false) {
            case .directory: try readFiles(in: path, below: "\(prefix)\(name)/")
            case .file where reads(name):
                begin(file: prefix + name)
                var isUseful = true
                try FileSystem.read(path) { bytes in if isUseful { isUseful = read(bytes) } }
                if isUseful { endFile() }
            default: break
            }
        }
    }
}
