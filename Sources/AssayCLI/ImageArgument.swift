import ArgumentParser
import FoundationEssentials

/// `registry.local/wine:1.0=images/wine`
struct ImageArgument: ExpressibleByArgument {
    let name: String
    let directory: String

    init?(argument: String) {
        guard let equals = argument.firstIndex(of: "=") else { return nil }
        name = String(argument[..<equals])
        directory = String(argument[argument.index(after: equals)...])
        if name.isEmpty || directory.isEmpty { return nil }
    }

    /// The directories by name, as absolute paths. Throws for a name given twice and for what is no directory.
    static func directories(_ images: [ImageArgument]) throws -> [String: String] {
        var result: [String: String] = [:]
        for image in images {
            let path = try absolute(image.directory)
            var isDirectory = false
            guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory), isDirectory else {
                throw ValidationError("--image \(image.name): \(path) is no directory")
            }
            guard result.updateValue(path, forKey: image.name) == nil else {
                throw ValidationError("--image \(image.name) is given twice")
            }
        }
        return result
    }
}

/// The path made absolute, below the working directory.
func absolute(_ path: String) throws -> String {
    guard !path.isEmpty else { throw ValidationError("a path is empty") }
    if path.hasPrefix("/") { return path }
    return FileManager.default.currentDirectoryPath + "/" + path
}
