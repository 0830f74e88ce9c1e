using System.Text;

namespace BlockRepl.Fencing;

/// <summary>What the program sees of its caller. Each line is out before the next thing is done.</summary>
/// <param name="Variable">Reads a variable of the environment.</param>
/// <param name="Wait">Lets time pass.</param>
internal sealed record Terminal(Stream Output, TextWriter Errors, Func<string, string?> Variable, Action<TimeSpan> Wait)
{
    public static Terminal System() => new(
        Console.OpenStandardOutput(), Console.Error, Environment.GetEnvironmentVariable, Thread.Sleep);

    public void Line(string text) => Bytes(Encoding.UTF8.GetBytes(text + '\n'));

    public void Bytes(ReadOnlySpan<byte> bytes)
    {
        Output.Write(bytes);
        Output.Flush();
    }
}
