// Android Gradle plugin 8.13 builds up to API 36, with Gradle 8.13 and JDK 17.
plugins {
    id("com.android.application") version "8.13.2" apply false
    id("org.jetbrains.kotlin.android") version "2.2.21" apply false
}
