using System.Net;
using BlockRepl.Administration;

namespace BlockRepl.Daemon.Hosting;

/// <summary>What the command line said.</summary>
/// <param name="Location">Configuration, name and run directory of the node.</param>
/// <param name="NbdTcp">Where NBD is served on TCP; null = only on the Unix socket.</param>
/// <param name="FrontEnd">Which front end makes devices: a name, auto, none; null = as the user's rights are.</param>
/// <param name="DeviceDirectory">Where the devices' names are made, /dev.</param>
/// <param name="IsSuccessor">
/// Started by a daemon that still runs, to take its place: see <see cref="Succession"/>.
/// </param>
internal sealed record DaemonOptions(
    NodeLocation Location, IPEndPoint? NbdTcp, string? FrontEnd, string DeviceDirectory, bool IsSuccessor = false);
