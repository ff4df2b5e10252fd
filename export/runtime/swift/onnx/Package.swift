// swift-tools-version: 5.9

import PackageDescription

// The session on onnxruntime, apart from the package above, which builds without fetching anything.
let package = Package(
    name: "AfribertaEdgeOnnx",
    platforms: [.iOS(.v16), .macOS(.v14)],
    products: [.library(name: "AfribertaEdgeOnnx", targets: ["AfribertaEdgeOnnx"])],
    dependencies: [
        .package(name: "AfribertaEdge", path: ".."),
        .package(url: "https://github.com/microsoft/onnxruntime-swift-package-manager", exact: "1.24.2"),
    ],
    targets: [
        .target(
            name: "AfribertaEdgeOnnx",
            dependencies: [
                .product(name: "AfribertaEdge", package: "AfribertaEdge"),
                .product(name: "onnxruntime", package: "onnxruntime-swift-package-manager"),
            ]
        ),
        .testTarget(name: "AfribertaEdgeOnnxTests", dependencies: ["AfribertaEdgeOnnx"]),
    ]
)
