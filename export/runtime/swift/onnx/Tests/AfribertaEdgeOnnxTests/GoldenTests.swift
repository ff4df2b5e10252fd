import AfribertaEdge
import AfribertaEdgeOnnx
import XCTest

/// Replays a bundle's golden.jsonl, model included. Its folder is $AFRIBERTA_BUNDLE.
final class GoldenTests: XCTestCase {
    func testGoldenAnswersHold() throws {
        let named = ProcessInfo.processInfo.environment["AFRIBERTA_BUNDLE"]
        guard let named else { throw XCTSkip("needs a bundle: set AFRIBERTA_BUNDLE to its folder") }
        let folder = URL(fileURLWithPath: named)
        let manifest = try Manifest(Data(contentsOf: folder.appendingPathComponent("manifest.json")))
        let golden = try Data(contentsOf: folder.appendingPathComponent(manifest.golden))
        let report = try replayGolden(golden, with: Tagger.load(folder: folder), tolerance: manifest.logitTolerance)
        XCTAssertEqual(report.problems, [])
        XCTAssertGreaterThan(report.words, 0)
    }
}
