import XCTest

@testable import AfribertaEdgeSample

/// Is this device's tagger the one that was made? Replays the bundle's own golden answers inside the app.
final class GoldenTests: XCTestCase {
    func testGoldenAnswersHoldOnThisDevice() async throws {
        let problems = try await TaggerActor().goldenProblems()
        XCTAssertEqual(problems, [])
    }
}
