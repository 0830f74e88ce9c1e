using BlockRepl.Nodes;

namespace BlockRepl.Interop.Tests;

/// <summary>
/// A network namespace with a tap: our daemon has its end, QEMU puts the guest's network card on the other. A permanent
/// wrong neighbour makes one direction silent without either end noticing, as a broken cable pair or a switch would.
/// With two guests a second tap takes our place, and a bridge joins them.
/// </summary>
internal sealed class NetworkSegment : IDisposable
{
    public const string Tap = "tap0";
    public const string SecondTap = "tap1";
    public const string OurAddress = "10.77.0.1";
    public const string KernelAddress = "10.77.0.2";
    public const string OurAddress6 = "fd77::1";
    public const string KernelAddress6 = "fd77::2";

    private readonly string _ip = Tool.Find("ip")!;
    private readonly bool _joinsGuests;

    /// <param name="number">Each of a process has another.</param>
    public NetworkSegment(int number, bool joinsGuests)
    {
        _joinsGuests = joinsGuests;
        Name = $"interop-{Environment.ProcessId}-{number}";
        Tool.Run(_ip, "netns", "add", Name).OrThrow();
        Ip("link", "set", "lo", "up");
        Ip("tuntap", "add", Tap, "mode", "tap");
        if (joinsGuests)
        {
            Ip("tuntap", "add", SecondTap, "mode", "tap");
            Ip("link", "add", "bridge0", "type", "bridge");
            foreach (string device in new[] { Tap, SecondTap })
            {
                Ip("link", "set", device, "master", "bridge0", "up");
            }

            Ip("link", "set", "bridge0", "up");
            return;
        }

        Ip("addr", "add", OurAddress + "/24", "dev", Tap);
        Ip("-6", "addr", "add", OurAddress6 + "/64", "dev", Tap, "nodad");
        Ip("link", "set", Tap, "up");
    }

    /// <summary>What this machine says if it has no network namespaces or no taps; null: it has.</summary>
    public static string? WhyImpossible()
    {
        string ip = Tool.Find("ip")!;
        string name = $"interop-{Environment.ProcessId}-probe";
        ToolResult result = Tool.Run(ip, "netns", "add", name);
        if (result.Succeeded)
        {
            result = Tool.Run(ip, "-n", name, "tuntap", "add", Tap, "mode", "tap");
            Tool.Run(ip, "netns", "del", name);
        }

        return result.Succeeded ? null : result.Everything.Trim();
    }

    /// <summary>The namespace, as <c>ip netns</c> names it.</summary>
    public string Name { get; }

    /// <summary>Nothing passes, and both ends find out only by silence: the guest's card does not see it.</summary>
    public void Cut() => Ip("link", "set", Tap, "down");

    public void Mend()
    {
        Ip("link", "set", Tap, "up");
        if (!_joinsGuests)
        {
            Ip("-6", "addr", "replace", OurAddress6 + "/64", "dev", Tap, "nodad");
            HearUs();
        }
    }

    /// <summary>What we send arrives nowhere; what the kernel sends arrives here.</summary>
    public void SilenceUs() =>
        Ip("neigh", "replace", KernelAddress, "lladdr", "02:00:00:00:00:99", "nud", "permanent", "dev", Tap);

    public void HearUs() => Tool.Run(_ip, "-n", Name, "neigh", "del", KernelAddress, "dev", Tap);

    /// <summary>Starts a program inside.</summary>
    public System.Diagnostics.Process Start(string program, params string[] arguments) =>
        Tool.Start(_ip, ["netns", "exec", Name, program, .. arguments]);

    public void Dispose() => Tool.Run(_ip, "netns", "del", Name);

    private void Ip(params string[] arguments) => Tool.Run(_ip, ["-n", Name, .. arguments]).OrThrow();
}
