// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "website",
    dependencies: [
        .package(name: "assay", path: "../.."),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    ],
    targets: [
        .executableTarget(
            name: "website",
            dependencies: [
                .product(name: "ControllerRuntime", package: "assay"),
                .product(name: "KubernetesClient", package: "assay"),
                .product(name: "Logging", package: "swift-log"),
            ]
        )
    ]
)
