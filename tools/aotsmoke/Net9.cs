// What .NET 10 has and the compiler of this check lacks.
namespace BlockRepl.AotSmoke;

internal static class Net9
{
    public static int IndexOfAnyExcept<T>(this Span<T> span, T value)
        where T : struct, Enum
    {
        for (int i = 0; i < span.Length; i++)
        {
            if (!EqualityComparer<T>.Default.Equals(span[i], value))
            {
                return i;
            }
        }

        return -1;
    }
}
