package afriberta.edge

import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.contentOrNull

// Values of a parsed file, or null (no items) where something else stands: files come from elsewhere.

internal operator fun JsonElement?.get(name: String): JsonElement? = (this as? JsonObject)?.get(name)

internal val JsonElement?.text: String? get() = (this as? JsonPrimitive)?.contentOrNull
internal val JsonElement?.number: Double? get() = text?.toDoubleOrNull()
internal val JsonElement?.items: List<JsonElement> get() = (this as? JsonArray).orEmpty()

internal fun parseJson(bytes: ByteArray, name: String): JsonElement =
    try {
        Json.parseToJsonElement(bytes.decodeToString())
    } catch (error: IllegalArgumentException) { // SerializationException is one
        throw damaged(name, reasonOf(error), error)
    }
