import AssayOperator
import Files
import Glibc

/// This very program as an image of a local node: what fetches and seals artifacts in the pods there.
enum ProgramImage {
    /// What `assay operator --image` names there, as our Deployment does.
    static let name = "assay:\(AssayOperator.version)"

    /// Adds it to a node's images, unless one of that name was given.
    /// - Parameter directory: where it is made, of the same file system if that can be: then it takes no room.
    static func add(to images: inout [String: String], below directory: String) throws {
        guard images[name] == nil else { return }
        let image = "\(directory)/program-image"
        let target = "\(image)/bin/assay"
        let program = try FileSystem.linkTarget("/proc/self/exe")
        try FileSystem.makeDirectories("\(image)/bin")
        // Another version may have been here before.
        try FileSystem.remove(target)
        if link(program, target) != 0 { try FileSystem.copyFile(program, to: target, mode: 0o755) }
        images[name] = image
    }
}
