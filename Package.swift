// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .treatAllWarnings(as: .error),
]

/// A library module. Each depends only on those above it in `docs/architecture.md`; a test reads the import lines.
func module(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

func tests(
    _ name: String, _ dependencies: [Target.Dependency] = [], excluding: [String] = [], linking: [LinkerSetting] = []
) -> Target {
    .testTarget(
        name: name + "Tests",
        dependencies: [.init(stringLiteral: name)] + dependencies,
        exclude: excluding,
        swiftSettings: strict,
        linkerSettings: linking
    )
}

let log = Target.Dependency.product(name: "Logging", package: "swift-log")
let collections = Target.Dependency.product(name: "Collections", package: "swift-collections")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let unixSignals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")
let metrics = Target.Dependency.product(name: "CoreMetrics", package: "swift-metrics")
let subprocess = Target.Dependency.product(name: "Subprocess", package: "swift-subprocess")
let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")

let package = Package(
    name: "assay",
    products: [
        .executable(name: "assay", targets: ["AssayCLI"]),
        .library(
            name: "ControllerRuntime", targets: ["ControllerRuntime", "KubernetesClient", "KubernetesModel", "JSON"]),
        // The decisions of a search, for the benchmarks and for whoever recomputes a suggestion.
        .library(name: "Search", targets: ["Search"]),
        .library(name: "KubernetesClient", targets: ["KubernetesClient", "CredentialPlugins", "CurlTransport"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2", traits: []),
    ],
    targets: [
        .systemLibrary(name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .systemLibrary(name: "COpenSSL", pkgConfig: "libssl", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CYAML", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),
        .systemLibrary(name: "CLinux"),

        module("Concurrency"),
        module("Files", ["CLinux"]),
        module("JSON"),
        module("YAML", ["CYAML", "JSON"]),
        module("OpenSSL", ["COpenSSL"]),
        module("KubernetesModel", ["JSON"]),
        module("Schedule", ["Files", "KubernetesModel"]),
        module("HTTPTransport"),
        module("CurlTransport", ["CCurl", "CLinux", "Concurrency", "HTTPTransport"]),
        module(
            "KubernetesClient",
            ["Concurrency", "HTTPTransport", "JSON", "KubernetesModel", "OpenSSL", "YAML", log]
        ),
        module("CredentialPlugins", ["KubernetesClient", subprocess]),
        module(
            "ControllerRuntime",
            [
                "Concurrency", "CLinux", "HTTPTransport", "JSON", "KubernetesClient", "KubernetesModel", log, metrics,
                lifecycle, unixSignals,
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "HeapModule", package: "swift-collections"),
            ]
        ),
        module(
            "HTTPServer",
            [
                "Concurrency", "HTTPTransport", "OpenSSL", log,
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ]
        ),
        module("AssayCore", ["JSON", "KubernetesModel", "OpenSSL", "Schedule"]),
        module("Search"),
        module(
            "ArtifactStore",
            ["CLinux", "Concurrency", "Files", "HTTPTransport", "JSON", "KubernetesModel", "OpenSSL"]),
        module(
            "AssayOperator",
            [
                "AssayCore", "Concurrency", "ControllerRuntime", "HTTPServer", "HTTPTransport", "JSON",
                "KubernetesClient",
                "KubernetesModel", "OpenSSL", "Schedule", log, lifecycle, metrics,
            ]
        ),
        module(
            "AssayGateway",
            [
                "AssayCore", "Concurrency", "ControllerRuntime", "Files", "HTTPServer", "HTTPTransport", "JSON",
                "KubernetesClient", "KubernetesModel", "OpenSSL", log, lifecycle,
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ]
        ),
        module("APIServerModel", ["JSON", "KubernetesModel", collections]),
        module(
            "LocalCluster",
            [
                "APIServerModel", "CLinux", "Concurrency", "ControllerRuntime", "CurlTransport", "Files", "HTTPServer",
                "HTTPTransport", "JSON", "KubernetesClient", "KubernetesModel", "OpenSSL", "YAML", log, subprocess,
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ]
        ),
        // The operator, an API server and a cluster around it in one process, in an order and with faults that a seed gives.
        module(
            "Simulation",
            [
                "APIServerModel", "AssayCore", "AssayGateway", "AssayOperator", "Concurrency", "ControllerRuntime",
                "HTTPTransport", "JSON", "KubernetesClient", "KubernetesModel", "LocalCluster", log,
                .product(name: "HeapModule", package: "swift-collections"),
            ]
        ),
        .executableTarget(
            name: "simulate", dependencies: ["APIServerModel", "JSON", "Simulation", "YAML", arguments, subprocess],
            swiftSettings: strict),
        .executableTarget(
            name: "AssayCLI",
            dependencies: [
                "ArtifactStore", "AssayCore", "AssayGateway", "AssayOperator", "Concurrency", "ControllerRuntime",
                "CredentialPlugins",
                "CurlTransport", "Files", "HTTPServer", "HTTPTransport", "JSON",
                "KubernetesClient", "KubernetesModel", "LocalCluster", "YAML", arguments, log, lifecycle,
            ],
            swiftSettings: strict
        ),

        // The example's only file, as its own package compiles it: the stories run it.
        .executableTarget(
            name: "website",
            dependencies: [
                "ControllerRuntime", "CurlTransport", "JSON", "KubernetesClient", "KubernetesModel", log,
            ],
            path: "examples/website/Sources/website",
            swiftSettings: strict
        ),

        tests("Concurrency"),
        tests("JSON"),
        tests("YAML", ["JSON"]),
        tests("OpenSSL"),
        tests("KubernetesModel", ["JSON"]),
        tests(
            "Schedule", ["Files", "FuzzProperties", "JSON", "KubernetesModel", subprocess],
            excluding: ["schedule_oracle.py"]),
        tests(
            "CurlTransport",
            [
                "Concurrency", "ControllerRuntime", "HTTPServer", "HTTPTransport", "JSON", "KubernetesClient",
                "KubernetesModel", "OpenSSL", log,
            ],
            excluding: ["h2_server.py"],
            // The tests look names up in place of the system, so that libcurl finds a resolver that does not answer.
            linking: [.unsafeFlags(["-Xlinker", "--export-dynamic-symbol=getaddrinfo"])]
        ),
        tests("KubernetesClient", ["Concurrency", "HTTPTransport", "JSON", "KubernetesModel", "OpenSSL", log]),
        tests("CredentialPlugins", ["Concurrency", "HTTPTransport", "KubernetesClient", "KubernetesModel"]),
        tests(
            "ControllerRuntime",
            ["Concurrency", "HTTPTransport", "JSON", "KubernetesClient", "KubernetesModel", log, metrics, lifecycle]),
        tests(
            "HTTPServer",
            [
                "Concurrency", "HTTPTransport", "OpenSSL", log,
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ]
        ),
        tests("Search"),
        tests(
            "AssayCore", ["FuzzProperties", "JSON", "KubernetesModel", "Schedule", "YAML", subprocess],
            excluding: ["gate_oracle.py", "Overlap/overlap_oracle.py"]),
        tests(
            "ArtifactStore",
            [
                "CLinux", "Concurrency", "CurlTransport", "Files", "HTTPServer", "HTTPTransport", "JSON",
                "KubernetesModel", "OpenSSL", "TestCluster", log, subprocess,
            ]),
        tests(
            "AssayOperator",
            [
                "APIServerModel", "AssayCore", "Concurrency", "ControllerRuntime", "HTTPServer", "HTTPTransport",
                "JSON",
                "KubernetesClient", "KubernetesModel", "OpenSSL", "YAML", log,
            ]
        ),
        tests(
            "AssayGateway",
            [
                "AssayCore", "Concurrency", "ControllerRuntime", "Files", "HTTPServer", "HTTPTransport", "JSON",
                "KubernetesClient", "KubernetesModel", "OpenSSL", log,
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ]
        ),
        tests("APIServerModel", ["JSON", "KubernetesModel", "YAML"]),
        tests(
            "LocalCluster",
            [
                "APIServerModel", "CLinux", "Concurrency", "ControllerRuntime", "CurlTransport", "Files",
                "HTTPTransport", "JSON", "KubernetesClient", "KubernetesModel", "YAML", log, subprocess,
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
            ]
        ),
        tests(
            "Simulation",
            [
                "APIServerModel", "Concurrency", "ControllerRuntime", "HTTPTransport", "JSON", "KubernetesClient",
                "KubernetesModel", "TestCluster", "YAML", log, subprocess,
            ]),
        // What must hold for any bytes that the readers of input get: checked by the suite and by `make fuzz`.
        .target(
            name: "FuzzProperties",
            dependencies: [
                "Concurrency", "HTTPTransport", "JSON", "KubernetesClient", "KubernetesModel", "Schedule", "YAML",
            ],
            path: "Tests/FuzzProperties",
            swiftSettings: strict
        ),
        .testTarget(name: "FuzzTests", dependencies: ["FuzzProperties"], swiftSettings: strict),
        // What whole stories are told on: LocalCluster and a real Kubernetes behind one face.
        .target(
            name: "TestCluster",
            dependencies: [
                "APIServerModel", "AssayCore", "Concurrency", "CurlTransport", "HTTPTransport", "JSON",
                "KubernetesClient", "KubernetesModel", "LocalCluster", "OpenSSL", "YAML", log, subprocess,
            ],
            path: "Tests/TestCluster",
            exclude: ["s3_server.py"],
            swiftSettings: strict
        ),
        // Whole stories: the operator, the local cluster and kubectl together.
        .testTarget(
            name: "StoryTests",
            dependencies: [
                "APIServerModel", "AssayCore", "AssayGateway", "AssayOperator", "Concurrency", "ControllerRuntime",
                "CurlTransport",
                "HTTPTransport",
                "JSON",
                "KubernetesClient", "KubernetesModel", "LocalCluster", "OpenSSL", "TestCluster", "YAML", log,
                subprocess,
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            swiftSettings: strict
        ),
    ]
)

// A program without a main, which libFuzzer brings: it links under `--sanitize=fuzzer` alone, so only scripts/fuzz asks
// for it.
if Context.environment["ASSAY_FUZZ"] != nil {
    package.targets.append(
        .executableTarget(
            name: "Fuzz", dependencies: ["Concurrency", "FuzzProperties"], path: "Tests/Fuzz",
            swiftSettings: strict + [.unsafeFlags(["-parse-as-library"])]))
}
