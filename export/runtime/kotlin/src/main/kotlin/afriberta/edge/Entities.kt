package afriberta.edge

/** An entity over words [startWord] to [endWord] (exclusive); [score] is the mean probability of its words' tags. */
data class WordEntity(val type: String, val startWord: Int, val endWord: Int, val score: Double)

/**
 * Entities in [tags] (O, B-TYPE, I-TYPE; E- and S- too), in order, as seqeval's default counts them; an I- after O or
 * another type opens one. Without [scores] (one per tag) every entity's score is 1.
 */
fun group(tags: List<String>, scores: List<Double>? = null): List<WordEntity> {
    val entities = ArrayList<WordEntity>()
    var begin = 0
    var lastPrefix = "O"
    var lastType = ""
    for (position in 0..tags.size) {
        val tag = tags.getOrElse(position) { "O" }
        val prefix = tag.take(1)
        val type = tag.drop(1).substringAfter('-').ifEmpty { "_" }
        val changed = type != lastType
        // Text in text: an empty tag's prefix is "in" everything, as in Python.
        if (lastPrefix in "ES" || (lastPrefix != "O" && (prefix in "BSO" || changed))) {
            val score = scores?.subList(begin, position)?.average() ?: 1.0
            entities.add(WordEntity(lastType, begin, position, score))
        }
        if (prefix in "BS" || (prefix != "O" && (lastPrefix in "ESO" || changed))) begin = position
        lastPrefix = prefix
        lastType = type
    }
    return entities
}
