import AfribertaEdge
import SwiftUI

/// One screen: the text, the same text with its entities marked, and the list of them.
struct TaggingView: View {
    @StateObject private var model = TaggingModel()

    var body: some View {
        NavigationStack {
            List {
                Section("Text") {
                    TextEditor(text: $model.text).frame(minHeight: 96).accessibilityLabel("Text to tag")
                }
                Section("Entities") {
                    Text(highlighted)
                    ForEach(Array(model.entities.enumerated()), id: \.offset) { _, entity in
                        EntityRow(entity: entity)
                    }
                }
                if let trouble = model.trouble {
                    Section("Trouble") { Text(trouble) }
                }
            }
            .navigationTitle("Tagger")
        }
        .task(id: model.text) { await model.update() }
    }

    /// Put together from pieces: an entity's end need not be that of a `Character`.
    private var highlighted: AttributedString {
        let text = model.tagged
        var result = AttributedString()
        var done = text.startIndex
        for entity in model.entities {
            let range = entity.range(in: text)
            result += AttributedString(String(text[done..<range.lowerBound]))
            var marked = AttributedString(String(text[range]))
            marked.backgroundColor = color(entity.type).opacity(0.25)
            marked.underlineStyle = Text.LineStyle.single
            result += marked
            done = range.upperBound
        }
        return result + AttributedString(String(text[done...]))
    }
}

private struct EntityRow: View {
    let entity: TaggedEntity

    var body: some View {
        HStack {
            Text(entity.text)
            Spacer()
            Text(entity.type).bold().padding(.horizontal, 6).background(color(entity.type).opacity(0.25))
            Text(entity.score, format: .percent.precision(.fractionLength(0))).foregroundStyle(.secondary)
        }
        .accessibilityElement(children: .combine)
    }
}

private let colors: [String: Color] = ["PER": .blue, "LOC": .green, "ORG": .orange, "DATE": .purple]

private func color(_ type: String) -> Color {
    colors[type] ?? .gray
}
