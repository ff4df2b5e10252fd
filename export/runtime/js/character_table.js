// Made by `python -m export.character_table`; not to be edited.

export const UNICODE = "14.0.0";
export const REPLACEMENTS =
  "!ul #!! %## &co 'c2 (10 )%% *o2 +D( ,M2 -P2 .c3 /o4 :c1 ;o3 <c4 =M3 >u2 ?)) @&2 Bl2 CP3 EM1 Gc6 Ho1 IP4 Jo5 Kc" +
  "7 LM4 Oc5 QM7 RP1 T'o Uc8 WP6 YM5 Zo7 [u3 ]&4 ^o8 _u4 `5P aPo bMo d&7 ec( fc9 gn2 h,' i&3 j6' kP5 ml3 p6> q>l " +
  "rcu s&1 t:2 v+G w*2 xo6 ycl zl8 {n6 |c= }oP";
export const PACKED =
  "X9S5X18SWAINPFP+NW>6kAB6IX6SX26SP9o-XIgAlCn}n3P>3Pu7B4Pz?)%2)2?%#!q#3q!q[B_lq[mqq#q!2!q[l!>Bo!3/uoluoluol)2)!2" +
  "uol![l?)%!7q>B!_l%69oB7H8IH2R4JP7oaR7Q9V=2#}!TmPu<-uP[rcqu17r9m5!2[m)%5!P!>Bu51l48?!PQ?)#!q%#2???c[8TWl41-'CcL" +
  "`MP,P,PMU*7</-:1X6P(E1PXC/3,1+I*b99aQXPM6*,PL*+;-oR4cXoM;0,7T89E1o:4+;3M9*Io'M-wLoM9o=oY'R5@5='Ps1O*4a6cX2GM8/" +
  "2,4X=3J4=oE8oQo(,-+PH6=&8'*'wd&./'bQ'h=oUM<*ih+*-{-}M'=&6<*'wd@@@'McY<h=.MK/&K+,;MPe=&9i@2d@&5'bM8||T:5*h+-KoM" +
  "6|&8'*'wd@&5'bQ'h=K=<*ih+a{eb&6.;].*&@.*.;.H2<Y.=cLTGM:4+n3P8OY^i@3sjbQ|cLK,iT'*h+KPn7a=P^i@3&(&5'bQ|cLK,G*@h+" +
  "@:3Lo9i]1,oQ|cL}<;Mn7;h+n9a6|s8.*4&9&T7.M<M6cMcM8G+',Pt/8M*Q<PZM8P+-.7*&&5@4&&(M*M9o'J&cMj+'/.2o-3,W+n(PMPMPMI" +
  ",^i6<,0P,JE1|6cP8MWcR3.7/3,0o+WxL/=o=*Q;LH3E2oM+L-[8rOu'l43am;29]T7&]'/1]';3]T7&]'H5&57]T67'=P9g0.H6P(Gu8jlja6" +
  "20-H7S*6-.Z5Cn3^KH8LfH9=-fH8,tH3ic,tJ2=2CoIoM'vn(GR1=XMv^9KJ,;4bOZ0e;1cE2<E2<P.-+;0'J:1/4<*6G+n.C4*3Y'-J3M(c,9" +
  "'MvvP7oW'=1<9Y/7E7^.+R7M9R1|;0E3*+/4E4UI;6,0.k+.;+;6-l9K_3'[P8U=P,1/b6M*=oOl44x3l13om4;7M64????)#!9???!9u8ljuj" +
  "zu8zu8ljujzrrrc!8u8l14'z^z^z^l5cB_}lCmcB_oCl4'B_cCzu5C'mcB_o-cS11X`8A2PAR2S2X5S-AI4SX5cX(no'{kon(ks3.C3:5=3:5-" +
  "uIu-l[B[lPuCu5WuPuPuP_Pl_l/l-B>k!4IlPn51!n5-<W63'5R1'1{0P78g2W30n30P992'C2cP(5_8l48![B#!_l!2!6*[l???!2W#=!OIn-" +
  "m8yOl'J6K}:4M*3fZddddddd|2I7oI6.4-6cP89t-14'6R2<SI*n-5n9M6PJ-n3*C&8j,-;a90P/O/3&94c-n4P(;2C6tH6C1cn(C0n8Pn15C2" +
  "n(C9n15C20x592W4w157.k5f/6-*69CH6+*'0?%#!oLPM(a)%#*,Z0n(,WU-3o9-%#!3?)%#!oz#q%o-#o#3)#u5lu5l%#!_l!O!yy#'4;!;lZ" +
  "M;M/M*3YIM.{IGJ2IU,J0E8U-vE8xC}*M+*8M8-*3E3:1P*9.L/7E4R3&+<-Jb(+J]1E4f;M^h+'I*3Co=J0b=*,J,ob'4;-H1Y-;,exT6T6fZ" +
  "dy43P/l9o-<z0;5M8PhvH1172t*3</9<-048{400;66T(6.8l7tl5Oob(PH3&5&@@&(8R7:6;63R8x4'J4KP.2H2IV16P(GE6C5cR9cI<Js35'" +
  "XcWAP8+P7>6WB6R1^9.xT6Tj;.P7cP7eX3-'H2@6s9@s5'H4.4H23OC<n45.P9n57R7gCcR3.P<7I5M:30*9./9:5Mg7<;2n4f*0n^nO;8YO;0" +
  "cP;6<^Pn5<2_0l40Z8'v[6<m6</0UJ2:1Pu11r15r7c>y11y15y7cBG7;11fwe^'4x]2&9G9xT]4@.o'*3cPn8*3-n7;1Un9<8H9@On5w{.P*6" +
  "OPG4J6<g*n1jn46o=c,OL/i@9'=<Mn9KP9K*9gP*9n3.2^P*8,<n`7fJ4.P7w'n8H9On8H8KItn7U0Z3O5u51:3l51K{;6LU+'94n31]2c,P'*" +
  "K8*9n(oUwE1n4k'2H8LI.8*1n7'0*3f=J3E`7<g0+M*,ofL/5E1-XIMeX'*5Kv=;6E4c+Io,oU;5M-of=/8E4/ILP,+oaCcg0:1H8@5E2WMG5Z" +
  "&]s5&(PG/7E2OvL&8'*'wd@&5c,oQ'h=TGMOJhQ.Y:39J3E8/k+-cPM;.0/8,0*aU+:66/7Q'M9-3/,.4/8E7Co:1vR3:9/3E3}G+O4*7'E5<+" +
  "gIZ:85/4E`e0[2m2+n9t^TT8@@4M6chLob,Cf+K0^';9Q'QoaM'7oM(/0QoLP8MUoE1/6E6Cok:3Z3'63o9i7M8cM8oke+n19.-;0',2cE4K3Z" +
  "@i8M6.Mc,cQoMUvx@i2Yc,cYoK+.(H9L-:83o:5g1-9:3a922e2n111ck:1H9j636o97-:3o(71cX9<039J83U633J69K;1c+<-Z9cv;0'YPe/" +
  "8QP9/-e+cn7@1OH9G88[2m2g3Ie1Z5<bY5KLH3G4*aM:1,:4x136UH238<2o9U935/d@@91<5;:7/U;9j308o(7OH3.o9Ko('P,PX4<700Lj,3" +
  "fR16G0-46eC9'W0YCM6X8M8-QC0LW1'1W6=P:54g0tP87fg5:35>6Bp6l7y18>6B6uc>'u'>'_r8l4yy7y11>6Bpc_'u8r7cBpc_r5r.u7cBp6" +
  "Bp6Bp6Bp6Bp6Bp6B8'>`B`lp`B`lp`B`lp`B`lp`B`l6!'D50k12Y5IY0P8MR4MP7:5YcE5:(4l(oB0'25QcE7'Qc,cY'13/5.QZ'+<}.20;0M" +
  ":7/4L+OPt48Z]@s5s97'n9Q<1[4m4Qo<+<-K85n59Pn3Pn4K6n4`n15:94/@7@&T&(]&&Go<o&&i@&T&&&&@&'/d]]&&(s7O;&5s7O2-'70-96" +
  "3ck5.7+e30/2720.2/153Kw2'J762:4Z473.(3J42:506/939K15958X.0X96t8V240G5040{5534'{5534'";
