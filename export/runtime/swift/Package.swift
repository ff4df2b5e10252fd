// swift-tools-version: 5.9

import PackageDescription

// Needs nothing but Foundation, so it builds without a network. The session on onnxruntime is the package in onnx/.
let package = Package(
    name: "AfribertaEdge",
    platforms: [.iOS(.v16), .macOS(.v14)],
    products: [.library(name: "AfribertaEdge", targets: ["AfribertaEdge"])],
    targets: [
        .target(name: "AfribertaEdge"),
        .testTarget(name: "AfribertaEdgeTests", dependencies: ["AfribertaEdge"]),
    ]
)
