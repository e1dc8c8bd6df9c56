// swift-tools-version:5.9
import PackageDescription

// ./build-xcframework writes both frameworks to build/.
let package = Package(
    name: "EdgePtf",
    platforms: [.iOS(.v15), .macOS(.v13)],
    products: [.library(name: "EdgePtf", targets: ["EdgePtf"])],
    targets: [
        .binaryTarget(name: "CEdgePtf", path: "build/edge_ptf.xcframework"),
        .binaryTarget(name: "onnxruntime", path: "build/onnxruntime.xcframework"),
        .target(
            name: "EdgePtf",
            dependencies: ["CEdgePtf", "onnxruntime"],
            linkerSettings: [
                .linkedLibrary("c++"), .linkedLibrary("z"), .linkedFramework("CoreML"), .linkedFramework("Foundation"),
            ]
        ),
        .executableTarget(name: "ask", dependencies: ["EdgePtf"]),
    ]
)
