using System.Globalization;
using System.Text.RegularExpressions;
using BlockRepl.Nodes;

namespace BlockRepl.Interop.Tests;

/// <summary>A line of <c>split-brain.txt</c>: how a split brain is made, and what comes of it.</summary>
public sealed partial record SplitBrainCase(
    string Policies, int OldWrites, int YoungWrites, int PrimariesLeft, bool DevicesAreOpen, string Result)
{
    /// <summary>The result of a case that two kernels have not played yet.</summary>
    public const string Unknown = "?";

    private static readonly string Folder = Path.Combine(Programs.RepositoryRoot, "tests", "interop");

    public static List<SplitBrainCase> All { get; } =
    [
        .. File.ReadLines(Path.Combine(Folder, "split-brain.txt")).Where(l => l.Length > 0 && l[0] != '#')
            .Select(Parse),
    ];

    /// <summary>Notes what was seen in the same format: artifacts/interop/split-brain.txt.</summary>
    public void Record(string result) =>
        Interop.Tests.Record.Note(
            "split-brain.txt",
            string.Create(
                CultureInfo.InvariantCulture,
                $"{Policies} | {OldWrites} {YoungWrites} | {PrimariesLeft} {(DevicesAreOpen ? "open" : "closed")} "
                + $"| {result}"));

    /// <summary>
    /// Whether it ended as recorded. Who gives up first closes the connection: if the other has not come to a decision
    /// by then, it waits for the next one.
    /// </summary>
    public bool Fits(string seen)
    {
        (string who, Node[] recorded) = Read(Result);
        (string seenWho, Node[] now) = Read(seen);
        return who == seenWho && (recorded[0].Fits(now[0]) || recorded[0].ComesLate(now[0], now[1]))
            && (recorded[1].Fits(now[1]) || recorded[1].ComesLate(now[1], now[0]));
    }

    private static (string Who, Node[] Nodes) Read(string result)
    {
        string[] f = [.. Form().Match(result).Groups.Values.Select(g => g.Value)];
        return (f[1], [Node.Of(f[2], f[3], f[6]), Node.Of(f[4], f[5], f[7])]);
    }

    [GeneratedRegex(@"^(.*): old (\S+) (\S+), young (\S+) (\S+); old calls (.*); young calls (.*)$")]
    private static partial Regex Form();

    private sealed record Node(string Connection, string Role, string[] Called)
    {
        public static Node Of(string connection, string role, string called) => new(
            connection, role, [.. called.Split(' ').Where(c => c != "nothing")]);

        public bool Fits(Node now) =>
            Connection == now.Connection && Role == now.Role && Called.SequenceEqual(now.Called);

        /// <remarks>
        /// A kernel that was to call pri-lost-after-sb can demote itself when the handshake has ended meanwhile.
        /// </remarks>
        public bool ComesLate(Node now, Node other) =>
            Connection is "StandAlone" or "WFConnection" && now.Connection == "WFConnection"
            && other.Connection == "StandAlone"
            && (Role == now.Role || (Called.Contains("pri-lost-after-sb") && now.Role == "Secondary"))
            && Called.Take(now.Called.Length).SequenceEqual(now.Called);
    }

    private static SplitBrainCase Parse(string line)
    {
        string[] fields = [.. line.Split('|').Select(f => f.Trim())];
        string[] writes = fields[1].Split(' ');
        string[] left = fields[2].Split(' ');
        return new SplitBrainCase(
            fields[0],
            int.Parse(writes[0], CultureInfo.InvariantCulture),
            int.Parse(writes[1], CultureInfo.InvariantCulture),
            int.Parse(left[0], CultureInfo.InvariantCulture),
            left[1] == "open",
            fields[3]);
    }
}
