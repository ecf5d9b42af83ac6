import FoundationEssentials
import Testing

/// The modules from the bottom up, each with the modules of ours that it may import. `docs/architecture.md` says why.
private let layers: [String: Set<String>] = {
    var allowed: [String: Set<String>] = [
        "Concurrency": [],
        "Files": ["CLinux"],
        "JSON": [],
        "YAML": ["CYAML", "JSON"],
        "OpenSSL": ["COpenSSL"],
        "KubernetesModel": ["JSON"],
        "Schedule": ["Files", "KubernetesModel"],
        "HTTPTransport": [],
        "CurlTransport": ["CCurl", "CLinux", "Concurrency", "HTTPTransport"],
        "KubernetesClient": ["Concurrency", "HTTPTransport", "JSON", "KubernetesModel", "OpenSSL", "YAML"],
        "CredentialPlugins": ["KubernetesClient"],
    ]
    allowed["ControllerRuntime"] = [
        "CLinux", "Concurrency", "HTTPTransport", "JSON", "KubernetesClient", "KubernetesModel",
    ]
    allowed["HTTPServer"] = ["Concurrency", "HTTPTransport", "OpenSSL"]
    allowed["AssayCore"] = ["JSON", "KubernetesModel", "OpenSSL", "Schedule"]
    allowed["Search"] = []

    allowed["ArtifactStore"] = [
        "CLinux", "Concurrency", "Files", "HTTPTransport", "JSON", "KubernetesModel", "OpenSSL",
    ]
    allowed["AssayOperator"] = [
        "AssayCore", "Concurrency", "ControllerRuntime", "HTTPServer", "HTTPTransport", "JSON", "KubernetesClient",
        "KubernetesModel", "OpenSSL", "Schedule",
    ]
    allowed["AssayGateway"] = [
        "AssayCore", "Concurrency", "ControllerRuntime", "Files", "HTTPServer", "HTTPTransport", "JSON",
        "KubernetesClient", "KubernetesModel", "OpenSSL",
    ]
    allowed["APIServerModel"] = ["JSON", "KubernetesModel"]
    allowed["LocalCluster"] = [
        "APIServerModel", "CLinux", "Concurrency", "ControllerRuntime", "CurlTransport", "Files", "HTTPServer",
        "HTTPTransport", "JSON", "KubernetesClient", "KubernetesModel", "OpenSSL", "YAML",
    ]
    allowed["AssayCLI"] = Set(allowed.keys).subtracting(["APIServerModel"])
    allowed["Simulation"] = [
        "APIServerModel", "AssayCore", "AssayGateway", "AssayOperator", "Concurrency", "ControllerRuntime",
        "HTTPTransport", "JSON", "KubernetesClient", "KubernetesModel", "LocalCluster",
    ]
    allowed["simulate"] = ["APIServerModel", "JSON", "Simulation", "YAML"]
    return allowed
}()

/// Modules from elsewhere that only some of ours may import.
private let reserved: [String: Set<String>] = [
    "NIOCore": ["AssayGateway", "HTTPServer", "LocalCluster"],
    "NIOPosix": ["AssayGateway", "HTTPServer", "LocalCluster"],
    "NIOHTTP1": ["AssayGateway", "HTTPServer"],
    "Subprocess": ["CredentialPlugins", "LocalCluster", "simulate"],
    "ArgumentParser": ["AssayCLI", "simulate"],
]

private struct Import: Hashable, CustomStringConvertible {
    let file: String
    let module: String
    let imported: String
    var description: String { "\(file) imports \(imported)" }
}

@Suite struct ArchitectureTests {
    private static func imports() throws -> [Import] {
        let sources = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "Sources")
        let files = try FileManager.default.subpathsOfDirectory(atPath: sources.path).filter { $0.hasSuffix(".swift") }
        var result: [Import] = []
        for file in files {
            let text = try String(contentsOf: sources.appending(path: file), encoding: .utf8)
            for line in text.split(separator: "\n") {
                let words = line.split(separator: " ")
                guard let keyword = words.firstIndex(of: "import"), keyword <= 1, words.count > keyword + 1 else {
                    continue
                }
                let imported = words[words.count - 1].split(separator: ".")[0]
                result.append(
                    Import(file: file, module: String(file.split(separator: "/")[0]), imported: String(imported)))
            }
        }
        return result
    }

    @Test func eachModuleImportsOnlyThoseBelowIt() throws {
        let imports = try Self.imports()
        #expect(imports.count > 100, "the sources were not found")
        let ours = Set(layers.keys).union(["CCurl", "COpenSSL", "CYAML", "CLinux"])
        let breaches = imports.filter {
            ours.contains($0.imported) && !layers[$0.module, default: []].contains($0.imported)
        }
        #expect(breaches.isEmpty)
    }

    @Test func librariesAreImportedOnlyWhereTheyBelong() throws {
        let breaches = try Self.imports().filter { item in
            reserved[item.imported].map { !$0.contains(item.module) } ?? false
        }
        #expect(breaches.isEmpty)
    }
}
