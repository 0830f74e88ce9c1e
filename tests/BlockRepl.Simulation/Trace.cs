using System.Globalization;

namespace BlockRepl.Simulation;

/// <summary>
/// What happened, for the reader of a failure and for the determinism test: the hash covers every line, the text is
/// only kept for the last lines, or written out whole.
/// </summary>
public sealed class Trace(EventQueue queue, Action<string>? sink)
{
    private const int Kept = 400;
    private readonly Func<string>?[] _last = new Func<string>?[Kept];
    private long _count;

    /// <summary>FNV-1a over the numbers of all lines: equal runs have equal hashes.</summary>
    public ulong Hash { get; private set; } = 0xCBF29CE484222325;

    /// <summary>
    /// Notes an event; the numbers go into the hash, <paramref name="text"/> is only called when somebody reads it.
    /// </summary>
    public void Note(int node, int kind, ulong a, ulong b, Func<string> text)
    {
        Mix((ulong)queue.NowNs);
        Mix(((ulong)(uint)node << 32) | (uint)kind);
        Mix(a);
        Mix(b);
        long time = queue.NowNs;
        if (sink is not null)
        {
            sink(Line(time, node, text()));
        }

        _last[_count++ % Kept] = () => Line(time, node, text());
    }

    /// <summary>The last lines, oldest first.</summary>
    public IEnumerable<string> Tail()
    {
        for (long i = Math.Max(0, _count - Kept); i < _count; i++)
        {
            yield return _last[i % Kept]!();
        }
    }

    private void Mix(ulong value)
    {
        Hash = (Hash ^ value) * 0x100000001B3;
        Hash ^= Hash >> 29;
    }

    private static string Line(long time, int node, string text) =>
        string.Create(
            CultureInfo.InvariantCulture, $"{time / 1e9,13:F6} {(node < 0 ? '-' : (char)('a' + node))} {text}");
}

/// <summary>A checker found something wrong, or the core broke an invariant of its own.</summary>
public sealed class SimulationException(string message, Exception? cause = null) : Exception(message, cause);
